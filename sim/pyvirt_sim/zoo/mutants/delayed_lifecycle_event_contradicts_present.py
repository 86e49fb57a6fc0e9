"""The handler trusts the event and asks nobody."""

from __future__ import annotations

from pyvirt_sim.clients import truth
from pyvirt_sim.clients.nova import Nova
from pyvirt_sim.scenarios.client_services import NOVA_RESTART
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio import DomainEvent


def _on_event(self: Nova, event: DomainEvent) -> None:
    self.nursery.start_soon(self.handle, event, name="nova, now")


def _believe(_: Nova, _event: DomainEvent, state: str) -> str:
    return state


async def _write(self: Nova, name: str, state: str) -> None:
    self.database[name] = state


MUTANT = Mutant(
    number=64,
    slug="delayed-lifecycle-event-contradicts-present",
    title="An old event is written down after the state it tells of has passed.",
    sources=(
        "nova commit f28359a15d",
        "https://bugs.launchpad.net/nova/+bug/1468431",
        "https://bugs.launchpad.net/nova/+bug/1180501",
    ),
    kind=BugClass.STALE,
    promise="An event whose state is not the present one is dropped: another one is on its way.",
    replaces="nova's handling of events: handlers run side by side, and none asks what is so now",
    scenario=NOVA_RESTART,
    checker=truth.NAME,
    depth=1,
    planted=replacing(
        (Nova, "on_event", _on_event),
        (Nova, "present", _believe),
        (Nova, "sync_power_state", _write),
    ),
)
