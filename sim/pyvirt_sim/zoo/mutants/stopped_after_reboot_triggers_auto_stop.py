"""The first of a chain of repairs: nothing is delayed."""

from __future__ import annotations

from pyvirt_sim.clients import truth
from pyvirt_sim.clients.nova import Nova
from pyvirt_sim.scenarios.client_services import NOVA_REBOOTS
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio import DomainEvent


def _on_event(self: Nova, event: DomainEvent) -> None:
    self.nursery.start_soon(self.handle, event, name="nova, now")


def _believe(_: Nova, _event: DomainEvent, state: str) -> str:
    return state


MUTANT = Mutant(
    number=63,
    slug="stopped-after-reboot-triggers-auto-stop",
    title="The stop of a reboot is handled after the reboot is over, and stops the instance again.",
    sources=(
        "nova commit bd8329b340",
        "https://bugs.launchpad.net/nova/+bug/1293480",
        "nova commit f16170695c",
    ),
    kind=BugClass.STALE,
    promise=(
        "A STOPPED event is acted on only if no later event of that domain exists, and it "
        "is really off."
    ),
    replaces="nova's handling of events: a stop is handled at once, and believed",
    scenario=NOVA_REBOOTS,
    checker=truth.NAME,
    depth=1,
    pair="delayed-events-swallow-a-stop",
    planted=replacing((Nova, "on_event", _on_event), (Nova, "present", _believe)),
)
