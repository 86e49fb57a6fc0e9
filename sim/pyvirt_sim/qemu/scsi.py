"""SCSI buses, and the disks on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu.buses import Bus, Hotplug
from pyvirt_sim.qemu.devices import Device
from pyvirt_sim.qemu.errors import QmpError

if TYPE_CHECKING:
    from pyvirt_sim.qemu.tree import DeviceTree

_UNSET = 0xFFFFFFFF


@attrs.define(eq=False)
class ScsiBus(Bus):
    """A SCSI bus: channels, targets, logical units, each from 0 to a highest number."""

    max_channel: int = 0
    max_target: int = 7
    max_lun: int = 0

    @classmethod
    def of_virtio(cls, name: str, parent: Device) -> ScsiBus:
        """The bus of a virtio-scsi controller."""
        return cls(
            name, "SCSI", parent, Hotplug.AT_ONCE, max_channel=0, max_target=255, max_lun=16383
        )

    @classmethod
    def of_lsi(cls, name: str, parent: Device) -> ScsiBus:
        """The bus of an LSI controller."""
        return cls(name, "SCSI", parent, Hotplug.AT_ONCE, max_channel=0, max_target=7, max_lun=0)

    @classmethod
    def of_one_disk(cls, name: str, parent: Device) -> ScsiBus:
        """The bus inside a device that is a single disk."""
        return cls(name, "SCSI", parent, Hotplug.AT_ONCE, max_channel=0, max_target=0, max_lun=0)

    def occupant(self, channel: int, target: int, lun: int) -> Device | None:
        """The device at an address."""
        for device in self.children:
            if device.address == (channel, target, lun):
                return device
        return None


def place(device: Device) -> None:
    """Give a disk its address: the one asked for, or the first free target or unit.

    Raises:
        QmpError: There is no such address, or it is taken.
    """
    bus = device.bus
    if not isinstance(bus, ScsiBus):
        raise AssertionError(f"{device.name} is on no SCSI bus")
    channel, target, lun = (_given(device, name) for name in ("channel", "scsi-id", "lun"))
    if channel is None:
        channel = 0
    if channel > bus.max_channel:
        raise QmpError(f"bad scsi channel id: {_signed(channel)}")
    if target is not None and target > bus.max_target:
        raise QmpError(f"bad scsi device id: {_signed(target)}")
    if lun is not None and lun > bus.max_lun:
        raise QmpError(f"bad scsi device lun: {_signed(lun)}")
    if target is None:
        lun = unit = lun or 0
        target = _first(bus.max_target, lambda one: bus.occupant(channel, one, unit) is None)
        if target is None:
            raise QmpError("no free target")
    elif lun is None:
        lun = _first(bus.max_lun, lambda one: bus.occupant(channel, target, one) is None)
        if lun is None:
            raise QmpError("no free lun")
    else:
        occupant = bus.occupant(channel, target, lun)
        if occupant is not None:
            raise QmpError(f"lun already used by '{occupant.id or '(null)'}'")
    device.address = (channel, target, lun)
    device.values |= {"channel": channel, "scsi-id": target, "lun": lun}


def _first(highest: int, is_free: Callable[[int], bool]) -> int | None:
    return next((number for number in range(highest + 1) if is_free(number)), None)


def _given(device: Device, name: str) -> int | None:
    value = device.values.get(name)
    return None if value is None or value == _UNSET else int(value)


def _signed(number: int) -> int:
    return number - (1 << 32) if number >= 1 << 31 else number


def realize(tree: DeviceTree, device: Device) -> None:
    """A disk, or a CD drive that may be empty.

    Raises:
        QmpError: A disk without a medium.
    """
    if "drive" not in device.links and device.driver == "scsi-hd":
        raise QmpError("drive property not set")
    tree.drives.attach(device, device.name)


def realize_generic(tree: DeviceTree, device: Device) -> None:
    """A device of the host, whose commands come from the guest.

    Raises:
        QmpError: It has no node, or one that takes no SCSI commands.
    """
    if "drive" not in device.links:
        raise QmpError("drive property not set")
    node = tree.blocks.get(device.links["drive"])
    if node is not None and not str(node.options.get("filename", "")).startswith("/dev/sg"):
        if not node.driver.startswith("null"):
            raise ModelGapError("scsi-generic with a disk or a file is not modelled")
        raise QmpError("cannot get SG_IO version number: Operation not supported")
    tree.drives.attach(device, device.name)


def realize_lsi(tree: DeviceTree, device: Device) -> None:
    """The LSI controller."""
    device.add_bus(ScsiBus.of_lsi(tree.child_bus_name(device, "SCSI"), device))
