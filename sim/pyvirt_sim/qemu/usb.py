"""USB buses and their ports: hubs add ports, and every device takes one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu import scsi
from pyvirt_sim.qemu.buses import Bus, Hotplug
from pyvirt_sim.qemu.devices import Device
from pyvirt_sim.qemu.errors import QmpError, missing

if TYPE_CHECKING:
    from pyvirt_sim.qemu.tree import DeviceTree

# How deep hubs may be chained.
_MAX_HUB_DEPTH: Final = 5
_HUB_PORTS: Final = 8


@attrs.define(eq=False)
class UsbBus(Bus):
    """A USB bus. Its free ports are in the order in which they were made or given back."""

    free: list[str] = attrs.field(factory=list[str])
    # Port -> the device in it.
    used: dict[str, Device] = attrs.field(factory=dict[str, Device])

    @classmethod
    def of(cls, tree: DeviceTree, controller: Device, ports: int) -> UsbBus:
        """The bus of a controller with that many ports."""
        name = tree.child_bus_name(controller, "usb-bus")
        free = [str(number + 1) for number in range(ports)]
        return cls(name, "usb-bus", controller, Hotplug.AT_ONCE, free=free)

    def release(self, port: str) -> None:
        """Give a port back."""
        if self.used.pop(port, None) is not None:
            self.free.append(port)


def realize(tree: DeviceTree, device: Device) -> None:
    """Plug a device into the port asked for or the first free one.

    Raises:
        QmpError: The port is not there or taken, or the device lacks something.
    """
    bus = device.bus
    if not isinstance(bus, UsbBus):
        raise AssertionError(f"{device.name} is on no USB bus")
    port = _claim(tree, bus, device)
    device.on_unrealize.append(lambda: bus.release(port))
    device.address = (port,)  # type: ignore[assignment]  # a path of numbers, such as 1.2
    if device.driver == "usb-hub":
        _add_ports(tree, bus, device, port)
        if bus.parent is not None and bus.parent.driver == "usb-ehci":
            raise QmpError(
                f'Warning: speed mismatch trying to attach usb device "{_product(device)}" '
                f'(full speed) to bus "{bus.name}", port "{port}" (high speed)'
            )
    elif device.driver == "usb-storage":
        _add_disk(tree, device)
    elif device.driver in {"usb-redir", "usb-serial"} and "chardev" not in device.links:
        if device.driver == "usb-serial":
            raise QmpError("Property chardev is required")
        raise missing("chardev")


def _claim(tree: DeviceTree, bus: UsbBus, device: Device) -> str:
    wanted = device.values.get("port")
    if wanted is not None:
        if wanted not in bus.free:
            raise QmpError(f"usb port {wanted} (bus {bus.name}) not found (in use?)")
        port = str(wanted)
    else:
        if len(bus.free) == 1 and device.driver != "usb-hub":
            tree.plug_unnamed("usb-hub", bus)
        if not bus.free:
            raise QmpError(
                f"tried to attach usb device {_product(device)} to a bus with no free ports"
            )
        port = bus.free[0]
    bus.free.remove(port)
    bus.used[port] = device
    return port


def _product(device: Device) -> str:
    products = {
        "usb-tablet": "QEMU USB Tablet",
        "usb-kbd": "QEMU USB Keyboard",
        "usb-mouse": "QEMU USB Mouse",
        "usb-hub": "QEMU USB Hub",
        "usb-storage": "QEMU USB MSD",
    }
    if device.driver not in products:
        raise ModelGapError(f"the product name of {device.driver} is not modelled")
    return products[device.driver]


def _add_ports(tree: DeviceTree, bus: UsbBus, hub: Device, port: str) -> None:
    if port.count(".") + 1 >= _MAX_HUB_DEPTH:
        raise QmpError("usb hub chain too deep")
    ports = [f"{port}.{number + 1}" for number in range(_HUB_PORTS)]
    bus.free += ports

    def remove() -> None:
        for one in ports:
            device = bus.used.get(one)
            if device is not None:
                tree.unparent(device)
            if one in bus.free:
                bus.free.remove(one)

    hub.on_unrealize.append(remove)


def _add_disk(tree: DeviceTree, device: Device) -> None:
    if "drive" not in device.links:
        raise QmpError("drive property not set")
    bus = scsi.ScsiBus.of_one_disk(tree.child_bus_name(device, "SCSI"), device)
    device.add_bus(bus)
    disk = tree.create("scsi-hd", None, f"{bus.path}/legacy[0]", bus)
    disk.address = (0, 0, 0)
    disk.links["drive"] = device.links["drive"]
    disk.values["share-rw"] = device.value("share-rw")
    bus.add(disk)
    tree.drives.attach(disk, device.name, disk.path)
    disk.is_realized = True


def realize_controller(tree: DeviceTree, device: Device) -> None:
    """A USB controller."""
    ports = {"qemu-xhci": 4, "piix3-usb-uhci": 2, "usb-ehci": 6}.get(device.driver)
    if ports is None:
        raise ModelGapError(f"device type {device.driver} is not modelled")
    if device.driver == "qemu-xhci":
        ports = max(device.value("p2"), device.value("p3"))
        # The controller and its core refer to each other for ever (QEMU 7.2).
        device.is_leaked = True
    device.add_bus(UsbBus.of(tree, device, ports))
