"""The transition that counts is silent."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from pyvirt_sim.checkers import fold_equals_state
from pyvirt_sim.scenarios.lives import STARTS_PAUSED
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio import DomainStarted
from pyvirt_trio.driver.boot import Boot
from pyvirt_trio.driver.life import Life
from pyvirt_trio.models.states import DomainState, DomainStatus, PausedReason

_first_run = Boot._first_run


async def _first_run_silently(self: Boot, life: Life) -> None:
    if self.is_paused:
        status = DomainStatus(DomainState.PAUSED, PausedReason.USER)
        life.announce(status, DomainStarted(**life.stamp))
    else:
        await _first_run(self, life)


MUTANT = Mutant(
    number=58,
    slug="snapshot-revert-event-condition-inverted",
    title=(
        "A machine that begins paused is announced as started only: who adds up believes it runs."
    ),
    sources=(
        "libvirt commit 5efcfb96954d",
        "libvirt commit c1ff5dc63dc9",
    ),
    kind=BugClass.LOST,
    promise="What goes from off to paused is announced as started and then as suspended.",
    replaces="the first run of a life: a paused start is announced as started, no more",
    scenario=STARTS_PAUSED,
    checker=fold_equals_state.NAME,
    depth=0,
    planted=replacing((Boot, "_first_run", _first_run_silently)),
)
