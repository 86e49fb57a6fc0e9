"""The machine inside QEMU: its run state, and the devices it is made of."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import attrs
import trio

from pyvirt_sim.qemu.boards import BOARDS
from pyvirt_sim.qemu.devices import Device
from pyvirt_sim.qemu.errors import QmpError
from pyvirt_sim.qemu.tree import DeviceTree
from pyvirt_sim.qemu.world import World


class RunState(enum.Enum):
    """QEMU's run states, as ``query-status`` writes them."""

    PRELAUNCH = "prelaunch"
    RUNNING = "running"
    PAUSED = "paused"
    SHUTDOWN = "shutdown"


class Peer(Protocol):
    """The operating system inside, as the machine sees it."""

    def unplug_requested(self, device: Device) -> None:
        """The machine asks for a device."""

    def started(self) -> None:
        """The processors run for the first time, or again after a reset."""


@attrs.define(eq=False)
class Machine:
    """Devices and run state of one QEMU process.

    Args:
        name: The guest's name, for notes.
        pid: Process that holds host devices.
        world: The host.
        emit: Sends one event.
        spawn: Starts a background task in the process.
        board: Its type, a key of `pyvirt_sim.qemu.boards.BOARDS`.
        memory_bytes: How much memory it is born with.
    """

    name: str
    pid: int
    world: World
    emit: Callable[[str, Mapping[str, Any] | None], None]
    spawn: Callable[..., object]
    board: str = "q35"
    memory_bytes: int = 128 << 20
    peer: Peer | None = None
    state: RunState = RunState.PRELAUNCH
    tree: DeviceTree = attrs.field(init=False)
    resumed: trio.Event = attrs.field(factory=trio.Event)
    _clock_ms: float = 0.0
    _running_since_s: float = 0.0

    def __attrs_post_init__(self) -> None:
        self.tree = DeviceTree(
            name=self.name,
            pid=self.pid,
            world=self.world,
            emit=self.emit,
            spawn=self.spawn,
            virtual_clock_ms=self.virtual_clock_ms,
            ask_guest=self._ask_guest,
            board=BOARDS[self.board],
            memory_bytes=self.memory_bytes,
        )

    def _ask_guest(self, device: Device) -> None:
        if self.peer is not None:
            self.peer.unplug_requested(device)

    # -- run state ----------------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        """Whether the processors run."""
        return self.state is RunState.RUNNING

    def virtual_clock_ms(self) -> int:
        """How long the processors have run, in whole milliseconds."""
        elapsed = (trio.current_time() - self._running_since_s) * 1000 if self.is_running else 0.0
        return int(self._clock_ms + elapsed)

    def resume(self) -> None:
        """Let the processors run. Event RESUME, unless they already do."""
        if self.is_running:
            return
        if self.state is RunState.SHUTDOWN:
            raise QmpError("Resetting the Virtual Machine is required")
        is_first = self.state is RunState.PRELAUNCH
        self.state = RunState.RUNNING
        self._running_since_s = trio.current_time()
        self.emit("RESUME", None)
        self.resumed.set()
        if is_first and self.peer is not None:
            self.peer.started()

    def pause(self, state: RunState = RunState.PAUSED) -> None:
        """Stop the processors. Event STOP, unless they stand still."""
        if not self.is_running:
            return
        self._clock_ms += (trio.current_time() - self._running_since_s) * 1000
        self.state = state
        self.resumed = trio.Event()
        self.emit("STOP", None)

    def reset(self) -> None:
        """Reset the board: event RESET, then every pending unplug is carried out."""
        self.emit("RESET", {"guest": False, "reason": "host-qmp-system-reset"})
        self.tree.reset()
        if not self.is_running:
            self.state = RunState.PRELAUNCH
        elif self.peer is not None:
            self.peer.started()
