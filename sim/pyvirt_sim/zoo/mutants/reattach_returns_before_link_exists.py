"""The card is back with its driver, and what the driver makes of it is not there yet."""

from __future__ import annotations

from pyvirt_sim.scenarios.node_devices import BACK, BACK_PROMISE, GOES_BACK
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio import PciAddress
from pyvirt_trio.host.pci import PciBus


async def _trust(_bus: PciBus, _address: PciAddress) -> None:
    """A driver that has the card will have made its interface."""


MUTANT = Mutant(
    number=21,
    slug="reattach-returns-before-link-exists",
    title="A network card is announced as back before its driver has made the interface.",
    sources=("vdsm commit deb415a23", "https://bugzilla.redhat.com/1817001"),
    kind=BugClass.PREM,
    promise=BACK_PROMISE,
    replaces="the return of a card to the host: its interface is not waited for",
    scenario=GOES_BACK,
    checker=BACK,
    depth=0,
    planted=replacing((PciBus, "await_interface", _trust)),
)
