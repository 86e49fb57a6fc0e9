"""The second of a chain of repairs: everything is delayed."""

from __future__ import annotations

from pyvirt_sim.clients import truth
from pyvirt_sim.clients.nova import Nova
from pyvirt_sim.scenarios.client_services import NOVA_STOPS
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio import DomainEvent


def _on_event(self: Nova, event: DomainEvent) -> None:
    if event.domain not in self.delayed:
        self.nursery.start_soon(self.handle_later, event, name="nova, later")


def _believe(_: Nova, _event: DomainEvent, state: str) -> str:
    return state


MUTANT = Mutant(
    number=63,
    slug="delayed-events-swallow-a-stop",
    title=(
        "Every event is delayed and a second one dropped as pending: the real stop is never seen."
    ),
    sources=(
        "nova commit b5a9c4e4d0",
        "https://bugs.launchpad.net/nova/+bug/1433049",
        "nova commit 1d4d00ec1c",
        "https://bugs.launchpad.net/nova/+bug/1443186",
    ),
    kind=BugClass.LOST,
    promise="The last event of a domain decides what is recorded.",
    replaces=(
        "nova's handling of events: all are delayed, and one that comes while another is "
        "pending is dropped"
    ),
    scenario=NOVA_STOPS,
    checker=truth.NAME,
    depth=0,
    pair="stopped-after-reboot-triggers-auto-stop",
    planted=replacing((Nova, "on_event", _on_event), (Nova, "present", _believe)),
)
