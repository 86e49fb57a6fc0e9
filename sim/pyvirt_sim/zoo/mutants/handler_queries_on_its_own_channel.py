"""Nobody is left to read the answer."""

from __future__ import annotations

from typing import Any

from pyvirt_sim.checkers import no_waiter_left
from pyvirt_sim.clients.qmp_client import QmpClient
from pyvirt_sim.scenarios.monitors import BUTTON
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


async def _dispatch(self: QmpClient, event: dict[str, Any]) -> None:
    self.fold(event)
    await self.handle(event)


MUTANT = Mutant(
    number=124,
    slug="handler-queries-on-its-own-channel",
    title=(
        "The reader calls the handler of an event, which asks something and waits for the reader."
    ),
    sources=("incus commit add57027531b",),
    kind=BugClass.WAIT,
    promise="The reader never waits for a reply.",
    replaces="a client's dispatch of events: the handler runs in the reader",
    scenario=BUTTON,
    checker=no_waiter_left.NAME,
    depth=0,
    planted=replacing((QmpClient, "dispatch", _dispatch)),
)
