"""The founding promise, broken one process further down."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from pyvirt_sim.qemu.devices import Device
from pyvirt_sim.qemu.tree import DeviceTree
from pyvirt_sim.scenarios.host_devices import CLOSED, LEAVES
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing

_take_out = DeviceTree._take_out


def _take_out_and_tell(self: DeviceTree, device: Device) -> None:
    was_there = device.in_tree
    _take_out(self, device)
    if was_there and device.is_realized and device.id:
        self.emit("DEVICE_DELETED", {"path": device.path, "device": device.id})


def _finalize_silently(_: DeviceTree, device: Device) -> None:
    while device.on_finalize:
        device.on_finalize.pop()()


MUTANT = Mutant(
    number=10,
    slug="qemu-deleted-before-finalize",
    title=(
        "DEVICE_DELETED is sent when a device leaves the tree, before QEMU has closed the "
        "host device."
    ),
    sources=(
        "QEMU commit f7b879e072ae",
        "QEMU commit 04162f8f4b",
        "QEMU commit 2fc06c4ac6",
    ),
    kind=BugClass.PREM,
    promise="After DEVICE_DELETED of a host device QEMU does not hold its group.",
    replaces=(
        "the simulated QEMU's taking a device out of the tree: it sends the event, "
        "finalizing does not"
    ),
    scenario=LEAVES,
    checker=CLOSED,
    depth=1,
    pair="json-device-syntax-leak-no-deleted",
    planted=replacing(
        (DeviceTree, "_take_out", _take_out_and_tell), (DeviceTree, "_finalize", _finalize_silently)
    ),
)
