"""The repair of a data race made a premature acknowledgement."""

from __future__ import annotations

from pyvirt_sim.clients.mirror import COPY, Mirror, Phase
from pyvirt_sim.scenarios.block_copies import COPIES, PIVOT_IS_DONE, PIVOT_PROMISE
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


async def _work(self: Mirror) -> None:
    self.image = COPY


def _conclude(self: Mirror) -> None:
    assert self.nursery is not None, "in use"
    self.nursery.start_soon(_work, self, name="worker")
    self.move(Phase.PIVOTED)


MUTANT = Mutant(
    number=98,
    slug="pivot-returns-before-xml-updated",
    title="The definition is changed by a worker, and the pivot returns without waiting for it.",
    sources=(
        "libvirt commit 630ee5ac6cf4, a regression of 1a92c719101e",
        "vdsm commit f264e838c",
        "https://bugzilla.redhat.com/1202719",
        "https://bugzilla.redhat.com/1206722",
    ),
    kind=BugClass.PREM,
    promise=PIVOT_PROMISE,
    replaces=(
        "the manager's end of a pivot: the waiting call is told first, a worker changes "
        "the definition"
    ),
    scenario=COPIES,
    checker=PIVOT_IS_DONE,
    depth=1,
    pair="backing-chain-without-job",
    planted=replacing((Mirror, "conclude_pivot", _conclude)),
)
