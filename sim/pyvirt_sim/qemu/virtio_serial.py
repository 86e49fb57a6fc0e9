"""The ports of a virtio-serial controller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pyvirt_sim.qemu.buses import Bus, Hotplug
from pyvirt_sim.qemu.devices import Device
from pyvirt_sim.qemu.errors import QmpError

if TYPE_CHECKING:
    from pyvirt_sim.qemu.tree import DeviceTree

_UNSET: Final = 0xFFFFFFFF
# Port 0 is for consoles, because old guests print there.
_CONSOLE: Final = 0


class SerialBus(Bus):
    """The bus of a virtio-serial controller."""

    def __init__(self, name: str, parent: Device, ports: int) -> None:
        super().__init__(name, "virtio-serial-bus", parent, Hotplug.AT_ONCE)
        self.ports = ports

    def port(self, number: int) -> Device | None:
        """The port of that number."""
        for device in self.children:
            if device.address == (number,):
                return device
        return None


def realize(tree: DeviceTree, device: Device) -> None:
    """A port or a console, at the number asked for or the first free one.

    Raises:
        QmpError: The number or the name is taken or not allowed.
    """
    bus = device.bus
    if not isinstance(bus, SerialBus):
        raise AssertionError(f"{device.name} is on no virtio-serial bus")
    number = device.value("nr") if "nr" in device.values else _UNSET
    is_console = device.driver == "virtconsole"
    if number == _CONSOLE and not is_console:
        raise QmpError(
            "Port number 0 on virtio-serial devices reserved for virtconsole devices "
            "for backward compatibility."
        )
    if bus.port(number) is not None:
        raise QmpError(f"virtio-serial-bus: A port already exists at id {number}")
    name = device.value("name")
    if name and any(one.value("name") == name for one in bus.children if one is not device):
        raise QmpError(f"virtio-serial-bus: A port already exists by name {name}")
    if number == _UNSET:
        number = _first_free(bus, is_console)
    elif number >= bus.ports:
        raise QmpError(
            f"virtio-serial-bus: Out-of-range port id specified, max. allowed: {bus.ports - 1}"
        )
    if is_console and "chardev" in device.links:
        # A console is always open; a port waits for the guest to open it.
        tree.chardevs.find(device.links["chardev"]).is_open = True
    device.address = (number,)
    device.values["nr"] = number
    if is_console and "chardev" in device.links:
        # A console listens from the first moment, a port only once the guest has opened it.
        tree.chardevs.find(device.links["chardev"]).is_open = True


def _first_free(bus: SerialBus, is_console: bool) -> int:
    if is_console and bus.port(_CONSOLE) is None:
        return _CONSOLE
    for number in range(1, bus.ports):
        if bus.port(number) is None:
            return number
    raise QmpError("virtio-serial-bus: Maximum port limit for this device reached")
