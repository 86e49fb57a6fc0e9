"""The event was there; nobody was."""

from __future__ import annotations

from pyvirt_sim.checkers import no_waiter_left
from pyvirt_sim.clients.starter import Starter
from pyvirt_sim.scenarios.client_views import STARTER
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


async def _start(self: Starter, name: str) -> None:
    await self.act(name)
    await self.wait(self.subscribe(), name)


MUTANT = Mutant(
    number=143,
    slug="subscribed-too-late",
    title="The subscription is made after the action whose event is waited for.",
    sources=(
        "nova commit 8a430da045",
        "https://bugs.launchpad.net/nova/+bug/1297485",
        "https://bugs.launchpad.net/nova/+bug/2130881",
        "tp-libvirt commit 5d6a4bb3a",
        "https://github.com/QubesOS/qubes-issues/issues/2622",
    ),
    kind=BugClass.LOST,
    promise="A subscription is confirmed before the action whose events are awaited.",
    replaces="the script: it acts, then subscribes, then waits",
    scenario=STARTER,
    checker=no_waiter_left.NAME,
    depth=0,
    planted=replacing((Starter, "start", _start)),
)
