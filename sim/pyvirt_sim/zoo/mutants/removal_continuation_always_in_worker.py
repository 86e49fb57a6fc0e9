"""The second half of a pair: the naive repair of removal-continuation-without-job."""

from __future__ import annotations

import trio

from pyvirt_sim.scenarios.device_removal import IN_TIME, IN_TIME_PROMISE, QUICK
from pyvirt_sim.zoo.libvirt_waiter import WAIT_S
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio import Domain, Impact
from pyvirt_trio.driver import modification


async def _detach(self: Domain, device: str, impact: Impact = Impact.CURRENT) -> None:
    removal = await modification.request_detach(self, device, impact)
    assert removal is not None, "the domain runs"
    async with self.job.hold("detach-device"):
        with trio.move_on_after(WAIT_S):
            await removal.finished.wait()
    await removal.wait()


MUTANT = Mutant(
    number=8,
    slug="removal-continuation-always-in-worker",
    title=(
        "A detach keeps the job while it waits for a worker that needs the job: each runs "
        "into its timeout."
    ),
    sources=(
        "libvirt commit 47f424c2d929",
        "libvirt commit 4670f1dd0235",
    ),
    kind=BugClass.WAIT,
    promise=IN_TIME_PROMISE,
    replaces=(
        "the detaching call: it holds the job for libvirt's five seconds while the removal wants it"
    ),
    scenario=QUICK,
    checker=IN_TIME,
    depth=0,
    pair="removal-continuation-without-job",
    planted=replacing((Domain, "detach_device", _detach)),
)
