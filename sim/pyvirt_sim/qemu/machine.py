"""The machine inside QEMU: its run state, and the devices it is made of.

The guest's doings (`power_off`, `suspend`, `panic`...) and the client's (`resume`, `pause`,
`reset`...) meet here, with the order of ``main_loop_should_exit`` in ``softmmu/runstate.c``: event
first, then the new state, then STOP where the processors ran.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import attrs
import trio

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu import disk_writes
from pyvirt_sim.qemu.boards import BOARDS
from pyvirt_sim.qemu.buses import Hotplug
from pyvirt_sim.qemu.cpus import Cpus, Topology
from pyvirt_sim.qemu.devices import Device
from pyvirt_sim.qemu.errors import QmpError
from pyvirt_sim.qemu.memory_devices import MemoryDevices
from pyvirt_sim.qemu.migration import Migration
from pyvirt_sim.qemu.run_state import Actions, Cause, RunState
from pyvirt_sim.qemu.saving import Saving
from pyvirt_sim.qemu.tree import DeviceTree
from pyvirt_sim.qemu.world import World

EXIT_FAILURE = 1


class Peer(Protocol):
    """The operating system inside, as the machine sees it."""

    def unplug_requested(self, device: Device) -> None:
        """The machine asks for a device."""

    def needs_attention(self, device: Device) -> None:
        """A device has come, or changed, that the system inside must see to."""

    def devices_reset(self) -> None:
        """Every device is as it is after power on; event RESET follows."""

    def started(self) -> None:
        """The processors run for the first time, or again after a reset."""

    def woken(self) -> None:
        """The machine has woken from its sleep: the processors begin anew, memory is as it was."""

    def power_button(self) -> None:
        """Somebody pressed it."""

    def non_maskable_interrupt(self) -> None:
        """Every processor got one."""

    def state_to_keep(self) -> dict[str, Any]:
        """What it is doing and what it knows, as it stands in the machine's memory."""
        ...

    def take_over(self, state: Mapping[str, Any]) -> None:
        """Be where another one was."""


@attrs.define(eq=False)
class Machine:
    """Devices and run state of one QEMU process.

    Args:
        name: The guest's name, for notes.
        pid: Process that holds host devices.
        world: The host.
        emit: Sends one event.
        spawn: Starts a background task in the process.
        end: Ends the process with an exit status.
        complain: Writes a line on the standard error of the process.
        actions: What it does when the guest reboots, shuts down, panics or hangs.
        firmware_bytes: How large its firmware is; a dump holds it too.
        board: Its type, a key of `pyvirt_sim.qemu.boards.BOARDS`.
        has_native_hotplug: Whether root ports handle hotplug themselves, instead of ACPI.
        disabled_sleeps: Which of ACPI's ``s3`` and ``s4`` its firmware does not offer.
        memory: How much memory it is born with, and may get.
        cpus: Its processors.
    """

    name: str
    pid: int
    world: World
    emit: Callable[[str, Mapping[str, Any] | None], None]
    spawn: Callable[..., object]
    end: Callable[[int], None]
    complain: Callable[[str], None] = lambda _text: None
    actions: Actions = attrs.field(factory=Actions)
    board: str = "q35"
    memory: MemoryDevices = attrs.field(factory=lambda: MemoryDevices(128 << 20))
    cpus: Cpus = attrs.field(factory=lambda: Cpus("qemu64-x86_64-cpu", Topology()))
    has_native_hotplug: bool = False
    disabled_sleeps: frozenset[str] = frozenset()
    peer: Peer | None = None
    state: RunState = RunState.PRELAUNCH
    tree: DeviceTree = attrs.field(init=False)
    saving: Saving = attrs.field(init=False)
    migration: Migration = attrs.field(init=False)
    firmware_bytes: int = 256 << 10
    # Writes that the host has failed and that are tried again when the processors run.
    failed_writes: list[Callable[[], None]] = attrs.field(factory=list[Callable[[], None]])
    resumed: trio.Event = attrs.field(factory=trio.Event)
    _clock_ms: float = 0.0
    _running_since_s: float = 0.0
    is_fresh: bool = True
    _is_ending: bool = False

    def __attrs_post_init__(self) -> None:
        self.saving = Saving(self)
        self.migration = Migration(self)
        ports = Hotplug.NATIVE if self.has_native_hotplug else Hotplug.ACPI
        self.tree = DeviceTree(
            name=self.name,
            pid=self.pid,
            world=self.world,
            emit=self.emit,
            spawn=self.spawn,
            virtual_clock_ms=self.virtual_clock_ms,
            ask_guest=self._ask_guest,
            show_guest=self._show_guest,
            board=attrs.evolve(BOARDS[self.board], port_hotplug=ports),
            memory=self.memory,
            cpus=self.cpus,
        )

    def _ask_guest(self, device: Device) -> None:
        if self.peer is not None:
            self.peer.unplug_requested(device)

    def _show_guest(self, device: Device) -> None:
        if self.peer is not None:
            self.peer.needs_attention(device)

    # -- the processors -----------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        """Whether the processors run."""
        return self.state is RunState.RUNNING

    def virtual_clock_ms(self) -> int:
        """How long the processors have run, in whole milliseconds."""
        elapsed = (trio.current_time() - self._running_since_s) * 1000 if self.is_running else 0.0
        return int(self._clock_ms + elapsed)

    def _run(self) -> None:
        self.state = RunState.RUNNING
        self._running_since_s = trio.current_time()
        self.resumed.set()

    def _halt(self, state: RunState) -> None:
        self._clock_ms += (trio.current_time() - self._running_since_s) * 1000
        self.state = state
        self.resumed = trio.Event()

    def _start_guest(self) -> None:
        self.is_fresh = False
        if self.peer is not None:
            self.peer.started()

    # -- what a client may ask for ------------------------------------------------------------

    def resume(self) -> None:
        """Let the processors run. Event RESUME, unless they already do, or the machine sleeps."""
        if self.state in (RunState.RUNNING, RunState.SUSPENDED):
            return
        if self.state is RunState.INMIGRATE:
            raise ModelGapError("a machine that runs as soon as its state is read is not modelled")
        if self.state is RunState.SHUTDOWN:
            raise QmpError("Resetting the Virtual Machine is required")
        self.tree.jobs.check_start()
        self.emit("RESUME", None)
        self._run()
        disk_writes.try_again(self)
        if self.is_fresh:
            self._start_guest()

    def pause(self, state: RunState = RunState.PAUSED) -> None:
        """Stop the processors. Event STOP, unless they stand still; block jobs rest either way."""
        if self.is_running:
            self._halt(state)
            self.tree.jobs.devices_stop()
            self.emit("STOP", None)
        self.tree.jobs.drain()

    def take_over(self, *, clock_ms: float, is_fresh: bool) -> None:
        """Go on where another machine stood still."""
        self._clock_ms = clock_ms
        self.is_fresh = is_fresh

    def reset(self, cause: Cause) -> None:
        """Reset the board: event RESET, then every pending unplug is carried out."""
        if self.actions.reboot == "shutdown":
            self.shut_down(cause)
            return
        self._reset_devices()
        if self.peer is not None:
            self.peer.devices_reset()
        self.emit("RESET", {"guest": cause.is_guest, "reason": cause.value})
        self.is_fresh = True
        if self.is_running:
            self._start_guest()
        else:
            self.state = RunState.PRELAUNCH

    def _reset_devices(self) -> None:
        self.tree.jobs.devices_stop()
        self.tree.reset()

    def shut_down(self, cause: Cause) -> None:
        """Shut down: event SHUTDOWN, then the process ends, or keeps the machine as it is."""
        if self._is_ending:
            return
        self.emit("SHUTDOWN", {"guest": cause.is_guest, "reason": cause.value})
        is_order = cause in (Cause.HOST_QUIT, Cause.HOST_SIGNAL)
        if self.actions.shutdown == "pause" and not is_order:
            self.pause(RunState.SHUTDOWN)
            return
        self._is_ending = True
        self.tree.exports.close()
        self.tree.jobs.shut_down()
        is_failure = cause is Cause.GUEST_PANIC and self.actions.panic == "exit-failure"
        self.end(EXIT_FAILURE if is_failure else 0)

    def wake_up(self) -> None:
        """End the machine's sleep. Event WAKEUP; RESUME does not come."""
        if self.state is not RunState.SUSPENDED:
            raise QmpError("Unable to wake up: guest is not in suspended state")
        self._reset_devices()
        self._run()
        if self.peer is not None:
            self.peer.woken()
        self.emit("WAKEUP", None)

    def begin_waking(self) -> None:
        """The guest of a machine that sleeps is awake; it goes on when its processors run."""
        self._reset_devices()
        if self.peer is not None:
            self.peer.woken()

    def power_button(self) -> None:
        """Press the power button: event POWERDOWN; the guest may shut down later."""
        self.emit("POWERDOWN", None)
        if self.peer is not None:
            self.peer.power_button()

    def inject_nmi(self) -> None:
        """Interrupt every processor."""
        if self.peer is not None:
            self.peer.non_maskable_interrupt()

    def memory_fails(self) -> None:
        """Memory is damaged, and the guest has not enabled machine checks: the machine is reset."""
        flags = {"action-required": False, "recursive": False}
        failure = {"recipient": "guest", "action": "reset", "flags": flags}
        self.emit("MEMORY_FAILURE", failure)
        self.reset(Cause.GUEST_RESET)

    # -- what the guest may do ----------------------------------------------------------------

    def suspend(self) -> None:
        """The guest sleeps (ACPI S3). Event SUSPEND; STOP does not come."""
        self._halt(RunState.SUSPENDED)
        self.emit("SUSPEND", None)

    def hibernate(self) -> None:
        """The guest has written itself to its disk and turns the machine off (ACPI S4)."""
        self.emit("SUSPEND_DISK", None)
        self.shut_down(Cause.GUEST_SHUTDOWN)

    def panic(self) -> None:
        """The guest's kernel has died, and says so. Event GUEST_PANICKED."""
        action = self.actions.panic
        if action == "none":
            self.emit("GUEST_PANICKED", {"action": "run"})
            return
        pauses = action == "pause" or (action == "shutdown" and self.actions.shutdown == "pause")
        self.emit("GUEST_PANICKED", {"action": "pause" if pauses else "poweroff"})
        if pauses:
            self.pause(RunState.GUEST_PANICKED)
        else:
            self.shut_down(Cause.GUEST_PANIC)

    def load_crash_kernel(self) -> None:
        """The guest's kernel has died and starts another one to save what it knows."""
        self.emit("GUEST_CRASHLOADED", {"action": "run"})

    def watchdog_expired(self) -> None:
        """The guest has not fed its watchdog in time. Event WATCHDOG, then what was chosen."""
        action = self.actions.watchdog
        self.emit("WATCHDOG", {"action": action})
        match action:
            case "reset":
                self.reset(Cause.GUEST_RESET)
            case "shutdown":
                self.power_button()
            case "poweroff":
                # QEMU leaves on the spot, without SHUTDOWN.
                self._is_ending = True
                self.end(0)
            case "pause":
                self.pause(RunState.WATCHDOG)
            case "inject-nmi":
                self.inject_nmi()
            case _:
                pass
