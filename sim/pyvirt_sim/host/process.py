"""Processes of the simulated host: QEMUs, what serves them, and the program under test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import trio

from pyvirt_sim.engine import note
from pyvirt_sim.engine.incarnation import is_dead_here
from pyvirt_sim.host.tree import Attribute, Folder, Node
from pyvirt_sim.qemu.process import QemuProcess
from pyvirt_trio.abc import Process

_SIGKILL = 9
MANAGER_PID = 1000
"""The process id of the program under test, as QEMU's log names it when it is terminated."""
_TICKS_PER_S = 100
"""Of the times in /proc/PID/stat (``USER_HZ``)."""
_STAT_FIELDS = 52


class Program(Protocol):
    """What a process runs."""

    @property
    def actor(self) -> str:
        """Who does what it does."""
        ...

    async def run(self) -> int:
        """Be it, and return its exit status."""
        ...

    def terminate(self, sender: int) -> None:
        """SIGTERM from a process."""
        ...


class SimProcess(Process):
    """One run of a program.

    Args:
        argv: Its command line.
        pid: Its number.
        program: What it runs.
        signalled: Told of each signal.

    Attributes:
        started_s: Virtual time of its start.
        is_orphan: Whether its parent has ended, so that it is reaped as soon as it ends.
        is_adopted: Whether somebody watches it who has not started it.
    """

    def __init__(
        self,
        argv: Sequence[str],
        pid: int,
        program: Program,
        signalled: Callable[[str], None],
    ) -> None:
        self._signalled = signalled
        self._program = program
        self.argv = tuple(argv)
        self.started_s = trio.current_time()
        self.is_orphan = False
        self.is_adopted = False
        self._was_waited_for = False
        self._pid = pid
        self._scope = trio.CancelScope()
        self._ended = trio.Event()
        self._exit_status = -_SIGKILL

    @property
    def pid(self) -> int:
        """The process id."""
        return self._pid

    @property
    def is_qemu(self) -> bool:
        """Whether it is a QEMU."""
        return isinstance(self._program, QemuProcess)

    @property
    def qemu(self) -> QemuProcess:
        """The model of a QEMU, which a test may look into and steer."""
        assert isinstance(self._program, QemuProcess), f"{self.argv} is no QEMU"
        return self._program

    @property
    def has_ended(self) -> bool:
        """Whether `wait` returns at once."""
        return self._ended.is_set()

    @property
    def is_reaped(self) -> bool:
        """Whether somebody has waited for it; its number is free from then on."""
        return self._was_waited_for or (self.is_orphan and self.has_ended)

    async def run(self) -> None:
        """Be the process; the host has this in its nursery."""
        try:
            with self._scope:
                self._exit_status = await self._program.run()
            note(self._program.actor, "exits", status=self._exit_status)
        finally:
            # Who waits for it must be able to unwind when the model itself has a gap.
            self._ended.set()

    async def wait(self) -> int | None:
        """Block until it has ended, and reap it, unless it is somebody else's."""
        await self._ended.wait()
        if not is_dead_here():
            self._was_waited_for = True
        return None if self.is_adopted else self._exit_status

    def terminate(self) -> None:
        """Send SIGTERM."""
        if not self.has_ended and not is_dead_here():
            self._program.terminate(MANAGER_PID)
            self._signalled("send SIGTERM")

    def kill(self) -> None:
        """Send SIGKILL."""
        if not self.has_ended and not is_dead_here():
            self._scope.cancel()
            self._signalled("send SIGKILL")

    def leave(self) -> None:
        """Do nothing: nothing here ties a process to the one that started it."""

    def folder(self) -> Folder:
        """Its folder in /proc."""
        files: dict[str, Node] = {
            "cmdline": Attribute(read=self._cmdline),
            "comm": Attribute(read=lambda: f"{self._name}\n"),
            "stat": Attribute(read=self._stat),
        }
        return Folder.plain(files)

    @property
    def _name(self) -> str:
        return self.argv[0].rpartition("/")[2][:15]  # TASK_COMM_LEN, without its zero byte

    def _cmdline(self) -> str:
        # A zombie has no memory to read it from.
        return "" if self.has_ended else "".join(f"{word}\0" for word in self.argv)

    def _stat(self) -> str:
        fields = ["0"] * _STAT_FIELDS
        # The first ones: number, name, state, parent, group, session. 22: ticks since boot.
        state = "Z" if self.has_ended else "S"
        fields[:6] = [
            str(self.pid),
            f"({self._name})",
            state,
            str(MANAGER_PID),
            *[str(self.pid)] * 2,
        ]
        fields[21] = str(int(self.started_s * _TICKS_PER_S))
        return " ".join(fields) + "\n"


class ProcessTable:
    """The processes of one boot, and their numbers.

    Args:
        happens: Whether the fault of a named site strikes now.
    """

    def __init__(self, happens: Callable[[str], bool]) -> None:
        self._happens = happens
        self._last_pid = MANAGER_PID
        self.all: list[SimProcess] = []

    def next_pid(self) -> int:
        """A number for a new process: the next one, or one that has just become free."""
        used = {process.pid for process in self.all if not process.is_reaped}
        free = [p.pid for p in self.all if p.is_reaped and p.pid not in used]
        if free and self._happens("pid-reused"):
            note("host", f"number {free[-1]} is used again")
            return free[-1]
        self._last_pid += 1
        return self._last_pid

    def adopt(self) -> None:
        """Let init reap what the program under test would have reaped: it has ended."""
        for process in self.all:
            process.is_orphan = True

    def find(self, number: str) -> SimProcess | None:
        """The process that has a number now; a zombie still has its own."""
        found = [p for p in self.all if str(p.pid) == number and not p.is_reaped]
        return found[-1] if found else None

    def folder(self, number: str) -> Folder | None:
        """What /proc has under a number."""
        found = self.find(number)
        return found.folder() if found else None

    def numbers(self) -> list[str]:
        """The numbers that /proc lists."""
        return [str(p.pid) for p in self.all if not p.is_reaped]
