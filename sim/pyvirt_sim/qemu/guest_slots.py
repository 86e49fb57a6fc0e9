"""How the guest drives the slots of native PCI Express hotplug, as Linux's ``pciehp`` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyvirt_sim.engine import note
from pyvirt_sim.qemu import native_hotplug
from pyvirt_sim.qemu.buses import Bus

if TYPE_CHECKING:
    from pyvirt_sim.qemu.guest import Guest


def take_over(guest: Guest) -> None:
    """A system that has booted powers whatever it finds in a slot."""
    for bus in native_hotplug.buses(guest.machine.tree):
        bus.slot.is_pressed = False
        bus.slot.is_powered = native_hotplug.is_filled(bus)


async def power_on(guest: Guest, bus: Bus, boot: int) -> None:
    """Somebody has come to a slot: power it, blinking meanwhile."""
    await guest.world.pause("guest-notices")
    if not await guest.is_up(boot) or bus.slot.is_powered or not native_hotplug.is_filled(bus):
        return
    bus.slot.is_blinking = True
    if await guest.runs_for(guest.world.guest_times.slot_on_s, boot):
        bus.slot.is_blinking = False
        bus.slot.is_powered = True
        note(guest.actor, "powers a slot", port=bus.name)


async def answer_button(guest: Guest, bus: Bus, boot: int) -> None:
    """The attention button: blink for the time in which a person could change their mind."""
    await guest.world.pause("guest-notices")
    if not await guest.is_up(boot):
        return
    bus.slot.is_pressed = False
    # There is no way to say no: who does not want to leaves the indicator as it is.
    if not guest.agrees_to_unplug():
        note(guest.actor, "ignores the attention button", port=bus.name)
        return
    bus.slot.is_blinking = True
    note(guest.actor, "blinks", port=bus.name)
    times = guest.world.guest_times
    if await guest.runs_for(times.blink_s + times.unplug_s, boot):
        await guest.world.pause("guest-unplug")
        if await guest.runs_for(times.slot_off_s, boot):
            note(guest.actor, "acknowledges unplug", port=bus.name)
            native_hotplug.power_off(guest.machine.tree, bus)
