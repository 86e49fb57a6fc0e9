"""The last to write is not the last to have read."""

from __future__ import annotations

from pyvirt_sim.clients import truth
from pyvirt_sim.clients.cockpit import Cockpit
from pyvirt_sim.scenarios.client_views import COCKPIT_PAUSES
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio import NotFoundError


async def _refresh(self: Cockpit, name: str) -> None:
    try:
        self.show(name, await self.read(name))
    except NotFoundError:
        self.show(name, None)


MUTANT = Mutant(
    number=69,
    slug="old-snapshot-overwrites-event",
    title=(
        "A refresh reads the state first and writes it last, over what an event has told meanwhile."
    ),
    sources=(
        "cockpit-machines commit 99c627e89acf",
        "https://github.com/cockpit-project/cockpit-machines/pull/1060",
    ),
    kind=BugClass.QVE,
    promise="After an event has been applied, a refresh that read before it does not write.",
    replaces="Cockpit's refresh: whatever it has read is shown, however old",
    scenario=COCKPIT_PAUSES,
    checker=truth.NAME,
    depth=1,
    planted=replacing((Cockpit, "refresh", _refresh)),
)
