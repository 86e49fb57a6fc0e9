"""A new device that does not tell what it is yet is thrown away for good."""

from __future__ import annotations

from pyvirt_sim.clients import truth
from pyvirt_sim.scenarios.node_devices import COME_AND_GO, PROMISE
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio import PciAddress
from pyvirt_trio.driver.nodedev_watch import NodeDeviceWatch

# pyright: reportPrivateUsage=false

_look_at = NodeDeviceWatch._look_at


async def _read_first(self: NodeDeviceWatch, addresses: list[PciAddress]) -> None:
    readable: list[PciAddress] = []
    for address in addresses:
        is_there = await self._bus.is_present(address)
        if not is_there or await self._bus.iommu_group(address) is not None:
            readable.append(address)
    await _look_at(self, readable)


MUTANT = Mutant(
    number=26,
    slug="mdev-add-uevent-before-sysfs-ready",
    title="The event of a device comes before its attributes: it is discarded, and no other comes.",
    sources=("libvirt commit 1af45804088c", "https://bugzilla.redhat.com/1463285"),
    kind=BugClass.PREM,
    promise=PROMISE,
    replaces="the look at a device: one that has no IOMMU group yet is passed over",
    scenario=COME_AND_GO,
    checker=truth.NAME,
    depth=1,
    planted=replacing((NodeDeviceWatch, "_look_at", _read_first)),
)
