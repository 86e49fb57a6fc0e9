"""The roll-back frees what is not its own."""

from __future__ import annotations

from collections.abc import Sequence

from pyvirt_sim.clients import truth
from pyvirt_sim.scenarios.host_devices import IS_BUSY
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio.driver.pci_loans import Owner, PciHostDevice, PciLoans
from pyvirt_trio.errors import PyvirtError

_prepare = PciLoans.prepare


async def _prepare_and_free(self: PciLoans, owner: Owner, devices: Sequence[PciHostDevice]) -> None:
    try:
        await _prepare(self, owner, devices)
    except PyvirtError:
        for device in devices:
            self.active.pop(device.source, None)
        raise


MUTANT = Mutant(
    number=20,
    slug="active-entry-freed-by-failed-start-of-other-vm",
    title="A start that fails because a card is taken takes it off the list of those that are.",
    sources=("libvirt commit 3f29d6c91f56",),
    kind=BugClass.TOCTOU,
    promise="A card is in the active list as long as a domain has it.",
    replaces="the preparation of host devices: a failure forgets every device that was asked for",
    scenario=IS_BUSY,
    checker=truth.NAME,
    depth=0,
    planted=replacing((PciLoans, "prepare", _prepare_and_free)),
)
