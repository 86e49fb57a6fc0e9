"""Native PCI Express hotplug: a root port that understands itself with the guest, without ACPI.

As QEMU 7.2 does it: a slot that is off lets its devices go at once. One that is on has an attention
button, which an unplug request presses; the guest lets the power indicator blink for five seconds,
then turns power and indicator off, and with that the devices leave. While the indicator blinks a
further request is refused, for pressing the button once more would cancel the first one. A reset
forgets the request; the device stays, and its slot is on from then on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pyvirt_sim.engine import note
from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu import pci
from pyvirt_sim.qemu.buses import Bus, Hotplug, Slot
from pyvirt_sim.qemu.devices import Device
from pyvirt_sim.qemu.errors import QmpError

if TYPE_CHECKING:
    from pyvirt_sim.qemu.tree import DeviceTree

_PENDING_MS: Final = 5000
"""How long QEMU takes a request for pending, by the virtual clock."""


def buses(tree: DeviceTree) -> Iterator[Bus]:
    """The buses behind ports that handle hotplug themselves."""
    for device in tree.all():
        for bus in device.buses:
            if bus.hotplug is Hotplug.NATIVE:
                yield bus


def is_filled(bus: Bus) -> bool:
    """Whether the port tells the guest that somebody is there: it looks at one place only."""
    return pci.at(bus, 0, 0) is not None


def reset(tree: DeviceTree) -> None:
    """The board is reset: slots with somebody in them are on, the others off."""
    for bus in buses(tree):
        bus.slot = Slot(is_powered=is_filled(bus))


def plugged(tree: DeviceTree, device: Device) -> None:
    """A device was plugged in: the guest is told, once there is a function 0."""
    bus = device.bus
    if bus is not None and bus.hotplug is Hotplug.NATIVE and device.address == (0, 0):
        tree.show_guest(device)


def request_unplug(tree: DeviceTree, device: Device) -> None:
    """Ask for a device behind a port.

    Raises:
        QmpError: The port has no hotplug, or its guest is busy with the slot.
        ModelGapError: The port came later than the machine, and the processors have run.
    """
    bus = device.bus
    if bus is None or bus.parent is None:
        raise AssertionError(f"{device.name} is behind no port")
    if bus.parent.value("hotplug") is False:
        name = bus.parent.id
        raise QmpError(f"Hot-unplug failed: unsupported by the port device '{name}'")
    if bus.parent.is_hotplugged and tree.virtual_clock_ms():
        raise ModelGapError("unplugging behind a hotplugged bridge is modelled only under -S")
    if bus.slot.is_blinking:
        raise QmpError("Hot-unplug failed: guest is busy (power indicator blinking)")
    device.unplug_until_ms = tree.virtual_clock_ms() + _PENDING_MS
    note(f"qemu/{tree.name}", "unplug requested", device=device.name)
    if not is_filled(bus):
        tree.unparent(device)  # the guest has never been told of it
    elif not bus.slot.is_powered:
        power_off(tree, bus)
    elif not bus.slot.is_pressed:
        bus.slot.is_pressed = True
        tree.ask_guest(device)


def power_off(tree: DeviceTree, bus: Bus) -> None:
    """Power and indicator are off: everything behind the port leaves."""
    bus.slot = Slot()
    for device in sorted(bus.children, key=lambda one: one.address):
        tree.unparent(device)
