"""UNDEFINED reads a domain that is going; STOPPED believes what is still written."""

from __future__ import annotations

from pyvirt_sim.clients import truth
from pyvirt_sim.clients.cockpit import Cockpit
from pyvirt_sim.scenarios.client_views import COCKPIT_LOSES
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio import DomainEvent, DomainStopped, NotFoundError


def _on_event(self: Cockpit, event: DomainEvent) -> None:
    shown = self.machines.get(event.domain)
    if isinstance(event, DomainStopped):
        if shown is not None and not shown["persistent"]:
            self.show(event.domain, None)
    else:
        self.nursery.start_soon(self.refresh, event.domain, name="cockpit's refresh")


async def _refresh(self: Cockpit, name: str) -> None:
    try:
        self.show(name, await self.read(name))
    except NotFoundError:
        return  # it will be removed by the event that tells so


MUTANT = Mutant(
    number=68,
    slug="undefined-and-stopped-handled-concurrently",
    title=(
        "Two handlers overlap, each leaves the removal to the other, and a ghost stays in the list."
    ),
    sources=(
        "cockpit-machines commit a724e2e29c93",
        "cockpit-machines commit 514e62a707dd",
        "https://github.com/cockpit-project/cockpit-machines/issues/488",
        "https://bugzilla.redhat.com/2033367",
    ),
    kind=BugClass.QVE,
    promise="After UNDEFINED and STOPPED, in any order and overlapping, the domain is not shown.",
    replaces=(
        "Cockpit's handlers: a stop removes a transient domain, a refresh that fails "
        "changes nothing"
    ),
    scenario=COCKPIT_LOSES,
    checker=truth.NAME,
    depth=1,
    planted=replacing((Cockpit, "on_event", _on_event), (Cockpit, "refresh", _refresh)),
)
