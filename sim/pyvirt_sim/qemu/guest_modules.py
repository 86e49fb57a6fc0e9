"""How the guest takes memory and processors, and gives them up, as Linux does.

A PC tells QEMU what became of each request through ACPI's ``_OST``: event ACPI_DEVICE_OST. Seen on
a real 7.2 with Linux 6.1: "done" after something has come; "in progress" and then, once it has
gone, "done" without its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from pyvirt_sim.engine import note
from pyvirt_sim.qemu.devices import Device

if TYPE_CHECKING:
    from pyvirt_sim.qemu.guest import Guest

_CAME: Final = 1
_EJECT: Final = 3
_DONE: Final = 0
# Linux says so of memory it cannot empty, and of a processor it cannot stop.
_BUSY: Final = 0x82
_IN_PROGRESS: Final = 0x84


async def take(guest: Guest, device: Device, boot: int) -> None:
    """A module or processor has come: a system that runs puts it to use and says so."""
    await guest.world.pause("guest-notices")
    if await guest.is_up(boot) and device.in_tree:
        note(guest.actor, "takes", device=device.name)
        _report(guest, device, _CAME, _DONE)


async def give_up(guest: Guest, device: Device, boot: int) -> None:
    """A module or processor is asked for: empty it, say how that went, and let it go."""
    if not device.in_tree:  # asked for twice, and gone after the first time: Linux says nothing
        return
    if not guest.listens_to_unplug():
        note(guest.actor, "ignores unplug request", device=device.name)
        return
    _report(guest, device, _EJECT, _IN_PROGRESS)
    await trio.sleep(guest.world.guest_times.unplug_s)
    await guest.world.pause("guest-unplug")
    if not await guest.is_up(boot) or not device.in_tree:
        return
    if guest.refuses_unplug():
        note(guest.actor, "refuses unplug", device=device.name)
        _report(guest, device, _EJECT, _BUSY)
        return
    note(guest.actor, "acknowledges unplug", device=device.name)
    kind, slot = _slot(guest, device)
    guest.machine.tree.eject(device)
    _emit(guest, {}, kind, slot, _EJECT, _DONE)


async def resize(guest: Guest, device: Device, boot: int) -> None:
    """virtio-mem: plug in, or give back, what the host asks for; done when nothing is left."""
    await guest.world.pause("guest-notices")
    if not await guest.is_up(boot):
        return
    await trio.sleep(guest.world.guest_times.unplug_s)
    await guest.world.pause("guest-unplug")
    if await guest.is_up(boot) and device.in_tree:
        guest.machine.tree.set_virtio_size(device, device.values["requested-size"])


def _report(guest: Guest, device: Device, source: int, status: int) -> None:
    kind, slot = _slot(guest, device)
    _emit(guest, {"device": device.id} if device.id else {}, kind, slot, source, status)


def _slot(guest: Guest, device: Device) -> tuple[str, int]:
    cpus = guest.machine.cpus
    if cpus.is_processor(device.path):
        return "CPU", cpus.index(device.path)
    return "DIMM", int(device.value("slot"))


def _emit(
    guest: Guest, name: dict[str, str], kind: str, slot: int, source: int, status: int
) -> None:
    reports = guest.machine.cpus.reports if kind == "CPU" else guest.machine.memory.reports
    reports[slot] = (source, status)
    report = {"slot": str(slot), "slot-type": kind, "source": source, "status": status}
    guest.machine.emit("ACPI_DEVICE_OST", {"info": name | report})
