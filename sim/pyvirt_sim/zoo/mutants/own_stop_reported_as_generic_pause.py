"""The event overtakes the bookkeeping."""

from __future__ import annotations

from pyvirt_sim.clients import truth
from pyvirt_sim.scenarios.lives import SUSPENDS
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio.driver import lifecycle
from pyvirt_trio.driver.life import Life
from pyvirt_trio.models.states import PausedReason


async def _stop_processors(life: Life, reason: PausedReason) -> None:
    await life.execute("stop")
    life.pause_reason = reason


MUTANT = Mutant(
    number=35,
    slug="own-stop-reported-as-generic-pause",
    title="The reason of a pause is noted after the command, and the STOP event has come before.",
    sources=("libvirt commit 35b6137696cd",),
    kind=BugClass.MISATTR,
    promise="A pause that was asked for with a reason is announced once, and for that reason.",
    replaces="the stopping of the processors: the reason is noted once QEMU has replied",
    scenario=SUSPENDS,
    checker=truth.NAME,
    depth=1,
    planted=replacing((lifecycle, "stop_processors", _stop_processors)),
)
