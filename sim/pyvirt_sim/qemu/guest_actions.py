"""What somebody inside a guest can do to the machine, beyond answering it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from pyvirt_sim.qemu.machine import Machine
from pyvirt_sim.qemu.run_state import Cause


class GuestAction(enum.Enum):
    """A doing of the guest that the machine notices."""

    POWER_OFF = "power off"
    RESET = "reset"
    SUSPEND = "suspend"
    HIBERNATE = "hibernate"
    PANIC = "panic"
    LOAD_CRASH_KERNEL = "load crash kernel"
    LET_WATCHDOG_EXPIRE = "let watchdog expire"
    SET_CLOCK = "set clock"
    REPORT_MEMORY = "report on memory slot"


# The devices without which an action goes nowhere: one of each row is enough.
_PANIC_DEVICES: Final = frozenset({"pvpanic", "pvpanic-pci"})
NEEDS: Final[Mapping[GuestAction, frozenset[str]]] = {
    GuestAction.PANIC: _PANIC_DEVICES,
    GuestAction.LOAD_CRASH_KERNEL: _PANIC_DEVICES,
    GuestAction.LET_WATCHDOG_EXPIRE: frozenset({"ib700", "i6300esb"}),
}
_SLEEPS: Final = {GuestAction.SUSPEND: "s3", GuestAction.HIBERNATE: "s4"}
# What it reports: on the first slot, which is empty, that an insertion (event 1) has succeeded.
_REPORT: Final = {"slot": "0", "slot-type": "DIMM", "source": 1, "status": 0}
# Where QOM puts the clock of the q35 board; the offset is what the guest sets, by any amount.
_CLOCK: Final = "/machine/unattached/device[8]"


def _is_possible(machine: Machine, action: GuestAction) -> bool:
    """Whether the guest finds a way to do it."""
    needed = NEEDS.get(action)
    present = {device.driver for device in machine.tree.devices.values()}
    return _SLEEPS.get(action) not in machine.disabled_sleeps and (
        needed is None or not needed.isdisjoint(present)
    )


def perform(machine: Machine, action: GuestAction, clock_offset_s: int = 0) -> None:
    """Let the guest do something, if the device for it is there.

    Args:
        machine: Its processors run.
        action: What it does.
        clock_offset_s: For `GuestAction.SET_CLOCK`: how far the guest's clock is ahead afterwards.
    """
    if not _is_possible(machine, action):
        return
    match action:
        case GuestAction.POWER_OFF:
            machine.shut_down(Cause.GUEST_SHUTDOWN)
        case GuestAction.RESET:
            machine.reset(Cause.GUEST_RESET)
        case GuestAction.SUSPEND:
            machine.suspend()
        case GuestAction.HIBERNATE:
            machine.hibernate()
        case GuestAction.PANIC:
            machine.panic()
        case GuestAction.LOAD_CRASH_KERNEL:
            machine.load_crash_kernel()
        case GuestAction.LET_WATCHDOG_EXPIRE:
            machine.watchdog_expired()
        case GuestAction.REPORT_MEMORY:
            if machine.memory.slots:
                machine.emit("ACPI_DEVICE_OST", {"info": _REPORT})
        case GuestAction.SET_CLOCK:
            machine.emit("RTC_CHANGE", {"offset": clock_offset_s, "qom-path": _CLOCK})
