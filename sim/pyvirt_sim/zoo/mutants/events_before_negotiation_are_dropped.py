"""Connected is not subscribed."""

from __future__ import annotations

from pyvirt_sim.clients import truth
from pyvirt_sim.clients.qmp_client import QmpClient
from pyvirt_sim.scenarios.monitors import MISSES
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


async def _assume(self: QmpClient) -> None:
    if self.state == "unknown":
        self.state = "running"


MUTANT = Mutant(
    number=114,
    slug="events-before-negotiation-are-dropped",
    title=(
        "A client takes a connection for a subscription, and misses what happens before "
        "the negotiation."
    ),
    sources=("QEMU 7.2, monitor/monitor.c: events skip monitors in negotiation",),
    kind=BugClass.LOST,
    promise="What is asked after the negotiation, with the events after it, covers everything.",
    replaces="a client's first question: it takes the machine for running and goes by events",
    scenario=MISSES,
    checker=truth.NAME,
    depth=1,
    planted=replacing((QmpClient, "learn_state", _assume)),
)
