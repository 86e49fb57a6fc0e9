"""The first half of a pair: the event is handled right where it is read."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from pyvirt_sim.scenarios.device_removal import BUSY, UNDER_JOB, UNDER_JOB_PROMISE
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio.driver.removal import AWAIT_GUEST, REMOVAL_TABLE, Removal, split_at_consent
from pyvirt_trio.errors import PyvirtError


async def _run(self: Removal) -> None:
    request, teardown = split_at_consent(REMOVAL_TABLE[type(self.device)])
    try:
        if request and not self.asked.is_set():
            async with self.life.domain.job.hold("detach-device"):
                await self.execute(request)
        self.asked.set()
        if request:
            await AWAIT_GUEST.run(self)
        await self.execute(teardown)
    except PyvirtError as error:
        self.fail(error)
    else:
        self.fail(None)


MUTANT = Mutant(
    number=8,
    slug="removal-continuation-without-job",
    title=(
        "What follows DEVICE_DELETED is done without the job, in the middle of somebody "
        "else's change."
    ),
    sources=(
        "libvirt commit 47f424c2d929",
        "libvirt commit 4670f1dd0235",
    ),
    kind=BugClass.TOCTOU,
    promise=UNDER_JOB_PROMISE,
    replaces="the run of a removal: its teardown does not take the domain's job",
    scenario=BUSY,
    checker=UNDER_JOB,
    depth=1,
    pair="removal-continuation-always-in-worker",
    planted=replacing((Removal, "run", _run)),
)
