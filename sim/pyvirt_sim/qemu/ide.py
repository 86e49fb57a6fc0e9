"""Disks on the SATA ports of q35, each of which is a bus with one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu.devices import Device
from pyvirt_sim.qemu.errors import QmpError

if TYPE_CHECKING:
    from pyvirt_sim.qemu.tree import DeviceTree


def realize(tree: DeviceTree, device: Device) -> None:
    """A disk, or a CD drive that may be empty.

    Raises:
        QmpError: A disk without a medium.
    """
    if tree.board.name != "q35":
        raise ModelGapError("disks on the IDE buses of other boards are not modelled")
    assert device.bus is not None, "it is on a bus"
    if any(one is not device for one in device.bus.children) or device.value("unit") not in (
        0,
        0xFFFFFFFF,
    ):
        raise ModelGapError("a second disk at a SATA port is not modelled")
    if "drive" not in device.links and device.driver == "ide-hd":
        raise QmpError("No drive specified")
    device.values["unit"] = 0
    tree.drives.attach(device, device.name)
