"""A process of the simulated host: every one of them is a QEMU."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio

from pyvirt_sim.engine import note
from pyvirt_sim.qemu.process import QemuProcess
from pyvirt_sim.qemu.world import World
from pyvirt_trio.abc import Process

_SIGKILL = 9
MANAGER_PID = 1000
"""The process id of the program under test, as QEMU's log names it when it is terminated."""


class SimProcess(Process):
    """One run of a simulated QEMU.

    Attributes:
        qemu: The model, which a test may look into and steer.
    """

    def __init__(
        self, argv: Sequence[str], world: World, pid: int, log: Callable[[str], None]
    ) -> None:
        self.qemu = QemuProcess(argv, world, pid, log)
        self._pid = pid
        self._scope = trio.CancelScope()
        self._ended = trio.Event()
        self._exit_status = -_SIGKILL

    @property
    def pid(self) -> int:
        """The process id."""
        return self._pid

    @property
    def has_ended(self) -> bool:
        """Whether `wait` returns at once."""
        return self._ended.is_set()

    async def run(self) -> None:
        """Be the process; the host has this in its nursery."""
        with self._scope:
            self._exit_status = await self.qemu.run()
        note(self.qemu.actor, "exits", status=self._exit_status)
        self._ended.set()

    async def wait(self) -> int:
        """Block until it has ended."""
        await self._ended.wait()
        return self._exit_status

    def terminate(self) -> None:
        """Send SIGTERM."""
        if not self.has_ended:
            self.qemu.terminate(MANAGER_PID)

    def kill(self) -> None:
        """Send SIGKILL."""
        if not self.has_ended:
            self._scope.cancel()
