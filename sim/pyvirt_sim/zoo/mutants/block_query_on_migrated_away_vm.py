"""Checked, waited, used."""

from __future__ import annotations

from pyvirt_sim.checkers.verdict import NO_CRASH
from pyvirt_sim.scenarios.lives import LOSES
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio.driver.lifecycle import LifecycleCalls
from pyvirt_trio.driver.processors import stop_processors
from pyvirt_trio.models.jobs import JobKind
from pyvirt_trio.models.states import PausedReason


async def _suspend(self: LifecycleCalls) -> None:
    self.running_life()
    async with self.job.hold("suspend", JobKind.SUSPEND):
        life = self.current_life
        await stop_processors(life, PausedReason.USER)  # type: ignore[arg-type]


MUTANT = Mutant(
    number=48,
    slug="block-query-on-migrated-away-vm",
    title="A call looks whether the domain runs, waits for the job, and does not look again.",
    sources=(
        "libvirt commit 054d43f570ac",
        "https://bugzilla.redhat.com/638285",
    ),
    kind=BugClass.TOCTOU,
    promise="After the job was had, the call looks again whether the domain runs.",
    replaces="the suspending call: it checks before it waits, and not after",
    scenario=LOSES,
    checker=NO_CRASH,
    depth=1,
    planted=replacing((LifecycleCalls, "suspend", _suspend)),
)
