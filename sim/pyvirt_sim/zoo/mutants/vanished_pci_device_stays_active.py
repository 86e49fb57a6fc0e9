"""The book-keeping is skipped for what cannot be looked up."""

from __future__ import annotations

from pyvirt_sim.clients import truth
from pyvirt_sim.scenarios.host_devices import VANISHES
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio import PciAddress
from pyvirt_trio.driver.pci_loans import PciLoans

_give_back = PciLoans.give_back


async def _keep(_: PciLoans) -> None:
    """Nobody looks."""


async def _look_up_first(self: PciLoans, address: PciAddress, *, force: bool = False) -> None:
    await self.bus.require_present(address)
    await _give_back(self, address, force=force)


MUTANT = Mutant(
    number=18,
    slug="vanished-pci-device-stays-active",
    title=(
        "A card that is gone from the host stays on a list, because sysfs has nothing to say of it."
    ),
    sources=(
        "libvirt list, 4 January 2021, patch 20/20 on missing PCI devices",
        "libvirt 9.0.0, virHostdevDeleteMissingPCIDevices",
    ),
    kind=BugClass.STALE,
    promise="An address that is no longer on the host is in neither list once its user has let go.",
    replaces=(
        "the release and the giving back of host devices: what sysfs does not know is not dropped"
    ),
    scenario=VANISHES,
    checker=truth.NAME,
    depth=0,
    planted=replacing((PciLoans, "_drop_vanished", _keep), (PciLoans, "give_back", _look_up_first)),
)
