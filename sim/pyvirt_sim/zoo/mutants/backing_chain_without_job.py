"""A temporary change across a call to the monitor, and an event in the middle of it."""

from __future__ import annotations

from pyvirt_sim.clients.mirror import COPY, JOB, Mirror, Phase
from pyvirt_sim.scenarios.block_copies import COPIES, PIVOT_IS_DONE
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


async def _pivot(self: Mirror) -> str:
    self.phase = Phase.PIVOTING
    before, self.image = self.image, COPY
    await self.command("block-job-complete", device=JOB)
    self.image = before
    await self.wait_ended()
    return self.phase.value


MUTANT = Mutant(
    number=99,
    slug="backing-chain-without-job",
    title=(
        "The pivot swaps source and copy around its command and swaps them back, over "
        "what an event has written."
    ),
    sources=(
        "libvirt commit 1a92c719101e",
        "libvirt commit 265680c58ebb",
        "libvirt commit febf84c26a67",
    ),
    kind=BugClass.TOCTOU,
    promise="What an event says about the images of a disk stays.",
    replaces=(
        "the manager's pivot: it keeps the old image aside during its command and puts it "
        "back after it"
    ),
    scenario=COPIES,
    checker=PIVOT_IS_DONE,
    depth=1,
    pair="pivot-returns-before-xml-updated",
    planted=replacing((Mirror, "pivot", _pivot)),
)
