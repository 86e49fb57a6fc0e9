"""Who samples levels loses short pulses."""

from __future__ import annotations

import trio

from pyvirt_sim.checkers import no_waiter_left
from pyvirt_sim.clients.network_agent import Replugger
from pyvirt_sim.scenarios.client_views import REPLUG
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


async def _after_plug(_: Replugger, notice: trio.Event) -> None:
    await notice.wait()


MUTANT = Mutant(
    number=78,
    slug="unplug-plug-faster-than-poller",
    title=(
        "A card is out and in again between two looks of the agent, whose notice is then "
        "awaited for ever."
    ),
    sources=(
        "nova commit 80deed6608",
        "https://bugs.launchpad.net/nova/+bug/1357599",
        "https://bugs.launchpad.net/nova/+bug/1357476",
    ),
    kind=BugClass.LOST,
    promise="A notice is awaited only where the notifier can see the edge.",
    replaces="the service's plugging: it waits for the agent's notice",
    scenario=REPLUG,
    checker=no_waiter_left.NAME,
    depth=0,
    planted=replacing((Replugger, "after_plug", _after_plug)),
)
