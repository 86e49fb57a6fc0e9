"""An accepted order is taken for an executed one."""

from __future__ import annotations

from pyvirt_sim.clients.mirror import Mirror, Phase
from pyvirt_sim.scenarios.block_copies import COPIES, PIVOT_IS_DONE
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing

_wait_ended = Mirror.wait_ended


async def _do_not_wait(self: Mirror) -> None:
    if self.phase is not Phase.PIVOTING:
        await _wait_ended(self)


MUTANT = Mutant(
    number=97,
    slug="pivot-call-returns-before-completion",
    title=(
        "The pivot returns with the reply to the command, which only says that the order was taken."
    ),
    sources=(
        "libvirt commit 97c59b9c46f9",
        "https://bugzilla.redhat.com/1119173",
        "nova commit 0f78442867",
    ),
    kind=BugClass.PREM,
    promise="A pivot returns after BLOCK_JOB_COMPLETED.",
    replaces="the wait of the manager's pivot: there is none",
    scenario=COPIES,
    checker=PIVOT_IS_DONE,
    depth=0,
    planted=replacing((Mirror, "wait_ended", _do_not_wait)),
)
