"""The shortest job is over before the listener comes."""

from __future__ import annotations

from pyvirt_sim.checkers import no_waiter_left
from pyvirt_sim.clients.mirror import COPY, JOB, SOURCE, Mirror
from pyvirt_sim.scenarios.block_copies import FAILS
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


async def _start(self: Mirror) -> None:
    await self.command("blockdev-mirror", job_id=JOB, device=SOURCE, target=COPY, sync="full")
    self.listen()


MUTANT = Mutant(
    number=105,
    slug="listener-registered-after-job-started",
    title="The job fails before anybody listens to it, and its end is awaited for ever.",
    sources=("incus commit bcffa337ac99, replacing 31c5e214fc and c0ea1f9520",),
    kind=BugClass.WAIT,
    promise="Who waits for an event is there before the command that can cause it.",
    replaces="the manager's start of a copy: it listens after the command",
    scenario=FAILS,
    checker=no_waiter_left.NAME,
    depth=1,
    planted=replacing((Mirror, "start", _start)),
)
