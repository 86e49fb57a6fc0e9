"""The classic lost wakeup, in the library's own journal."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import trio

from pyvirt_sim.checkers import no_waiter_left
from pyvirt_sim.scenarios.lives import SUSPENDS
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio.driver.journal import Journal


async def _wait_beyond(self: Journal, sequence: int) -> None:
    while self._sequence == sequence:
        await trio.lowlevel.checkpoint()
        await self._observers.park()


MUTANT = Mutant(
    number=137,
    slug="eof-between-check-and-wait",
    title="An observer looks for news, finds none, and lies down a moment after they have come.",
    sources=("libvirt commit 833b901cb711",),
    kind=BugClass.WAIT,
    promise="Looking and lying down to wait are one step.",
    replaces="the journal's wait for a record: there is a checkpoint between the look and the wait",
    scenario=SUSPENDS,
    checker=no_waiter_left.NAME,
    depth=1,
    planted=replacing((Journal, "wait_beyond", _wait_beyond)),
)
