"""The event may repeat, and does so at the worst moment."""

from __future__ import annotations

from pyvirt_sim.clients.mirror import Mirror, Phase
from pyvirt_sim.scenarios.block_copies import BLIPS, PIVOT_IS_DONE
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


def _on_ready(self: Mirror) -> None:
    self.move(Phase.READY)


MUTANT = Mutant(
    number=96,
    slug="ready-again-during-pivot",
    title=(
        "A second READY during a pivot sets the job back, and its end is taken for an "
        "abandoned copy."
    ),
    sources=(
        "libvirt 7.3.0, release note on two block job ready events",
        "libvirt 9.0.0, qemu_blockjob.c",
    ),
    kind=BugClass.DUP,
    promise="READY changes nothing about a job that is being completed or aborted.",
    replaces="the manager's handler of READY: it counts in every phase",
    scenario=BLIPS,
    checker=PIVOT_IS_DONE,
    depth=1,
    planted=replacing((Mirror, "on_ready", _on_ready)),
)
