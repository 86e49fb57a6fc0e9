"""Listed, then gone."""

from __future__ import annotations

import trio

from pyvirt_sim.checkers.verdict import NO_CRASH
from pyvirt_sim.clients.vdsm import Vdsm
from pyvirt_sim.scenarios.client_services import VDSM_COUNTS
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


async def _statistics(self: Vdsm) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in [domain.name for domain in self.hypervisor.domains()]:
        await trio.lowlevel.checkpoint()
        found[name] = self.memory_of(name)
    return found


MUTANT = Mutant(
    number=34,
    slug="object-vanishes-between-list-and-inspect",
    title="A domain that goes between the list and the look at it ends the whole enumeration.",
    sources=(
        "vdsm commit 34d804a0f",
        "https://bugzilla.redhat.com/1428692",
        "nova commit 8534499b4a",
        "https://bugs.launchpad.net/nova/+bug/1972028",
        "virt-manager commit 4d0e32322",
        "https://bugzilla.redhat.com/1901081",
    ),
    kind=BugClass.TOCTOU,
    promise="An enumeration leaves out what has gone meanwhile, and returns the rest.",
    replaces="vdsm's statistics: the error of one domain is the error of all",
    scenario=VDSM_COUNTS,
    checker=NO_CRASH,
    depth=1,
    planted=replacing((Vdsm, "statistics", _statistics)),
)
