"""The later point at which the event is sent is never reached."""

from __future__ import annotations

from typing import Any

from pyvirt_sim.qemu.devices import Device
from pyvirt_sim.qemu.tree import DeviceTree
from pyvirt_sim.scenarios.device_removal import COLD
from pyvirt_sim.scenarios.stage import AGREE
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing

_create = DeviceTree.create


def _create_leaky(self: DeviceTree, *args: Any, **kwargs: Any) -> Device:
    device = _create(self, *args, **kwargs)
    device.is_leaked = not self.is_built
    return device


MUTANT = Mutant(
    number=13,
    slug="json-device-syntax-leak-no-deleted",
    title=(
        "A device of the command line keeps a leaked reference: it is never finalized, no "
        "event comes."
    ),
    sources=(
        "QEMU commit 64b4529a4325",
        "https://gitlab.com/qemu-project/qemu/-/issues/802",
        "libvirt 8.0.0, release note",
    ),
    kind=BugClass.LOST,
    promise="device_del of a device of the start leads to DEVICE_DELETED as for any other.",
    replaces=(
        "the simulated QEMU's making of devices: those made before the machine is built are leaked"
    ),
    scenario=COLD,
    checker=AGREE,
    depth=0,
    pair="qemu-deleted-before-finalize",
    planted=replacing((DeviceTree, "create", _create_leaky)),
)
