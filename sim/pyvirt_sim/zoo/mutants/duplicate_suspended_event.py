"""Two emitters of one fact."""

from __future__ import annotations

from pyvirt_sim.scenarios.lives import ONE_PAUSE, ONE_PAUSE_PROMISE, SUSPENDS
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio import DomainSuspended
from pyvirt_trio.driver import lifecycle
from pyvirt_trio.driver.life import Life
from pyvirt_trio.models.states import PausedReason


async def _stop_processors(life: Life, reason: PausedReason) -> None:
    life.pause_reason = reason
    await life.execute("stop")
    life.announce(None, DomainSuspended(**life.stamp))


MUTANT = Mutant(
    number=36,
    slug="duplicate-suspended-event",
    title="The call that suspends announces it, and the handler of STOP does so too.",
    sources=(
        "libvirt 5.3.0, patch e3389d8",
        "tp-libvirt PR 2170",
    ),
    kind=BugClass.DUP,
    promise=ONE_PAUSE_PROMISE,
    replaces="the stopping of the processors: it announces the pause itself",
    scenario=SUSPENDS,
    checker=ONE_PAUSE,
    depth=0,
    planted=replacing((lifecycle, "stop_processors", _stop_processors)),
)
