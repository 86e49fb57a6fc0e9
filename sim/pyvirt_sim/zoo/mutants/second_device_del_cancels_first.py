"""Each press undoes the one before."""

from __future__ import annotations

from pyvirt_sim.clients.remover import Remover
from pyvirt_sim.engine import note
from pyvirt_sim.qemu import guest_slots, native_hotplug
from pyvirt_sim.qemu.buses import Bus, Slot
from pyvirt_sim.qemu.devices import Device
from pyvirt_sim.qemu.guest import Guest
from pyvirt_sim.qemu.tree import DeviceTree
from pyvirt_sim.scenarios.slots import LETS_GO, SLOT
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing

_request = native_hotplug.request_unplug


def _press(tree: DeviceTree, device: Device) -> None:
    assert device.bus is not None, "it is in a slot"
    if device.bus.slot.is_blinking:
        device.bus.slot = Slot(is_powered=True)  # as if nothing had been asked
        note(f"qemu/{tree.name}", "presses the button again", device=device.name)
    else:
        _request(tree, device)


async def _answer(guest: Guest, bus: Bus, boot: int) -> None:
    await guest.world.pause("guest-notices")
    if not await guest.is_up(boot):
        return
    slot = bus.slot
    slot.is_pressed, slot.is_blinking = False, True
    if await guest.runs_for(guest.world.guest_times.blink_s, boot) and bus.slot is slot:
        native_hotplug.power_off(guest.machine.tree, bus)


def _period(_: Remover) -> float:
    return 2.0


def _is_never_pending(_: DeviceTree, _device: Device) -> bool:
    return False


MUTANT = Mutant(
    number=14,
    slug="second-device-del-cancels-first",
    title=(
        "A program asks again while the slot still blinks, which takes the request back: "
        "none ever completes."
    ),
    sources=(
        "QEMU commit cce8944cc9ef",
        "nova commit dd1e6d4b0c",
        "nova commit e56cc4f439",
        "https://bugs.launchpad.net/nova/+bug/1882521",
        "https://bugs.launchpad.net/nova/+bug/1894804",
        "systemd commit 93c04d4aba52",
    ),
    kind=BugClass.WAIT,
    promise="A request is repeated only when the guest's window has closed.",
    replaces=(
        "a program's patience (two seconds), and the simulated slot: pressing it while it "
        "blinks is no error, and cancels"
    ),
    scenario=SLOT,
    checker=LETS_GO,
    depth=0,
    pair="unplug-before-guest-boot-lost",
    planted=replacing(
        (native_hotplug, "request_unplug", _press),
        (guest_slots, "answer_button", _answer),
        (Remover, "period", _period),
        (DeviceTree, "_is_pending", _is_never_pending),
    ),
)
