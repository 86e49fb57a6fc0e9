"""A reply is believed where only events tell."""

from __future__ import annotations

from pyvirt_sim.clients import truth
from pyvirt_sim.clients.mirror import Mirror, Phase
from pyvirt_sim.scenarios.block_copies import REFUSED
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


def _abandon(self: Mirror) -> str:
    self.move(Phase.ABANDONED)
    return self.phase.value


MUTANT = Mutant(
    number=100,
    slug="failed-complete-treated-as-abandoned",
    title="QEMU refuses to complete a mirror, and the manager takes the job for gone.",
    sources=(
        "libvirt commit 8a609afb6f2a",
        "https://bugzilla.redhat.com/1202704",
        "Proxmox qemu-server commit 7b4fac12",
    ),
    kind=BugClass.RVE,
    promise="An error reply to an order leaves the job as it was, unless an event says otherwise.",
    replaces="what the manager makes of a refused order: the job is abandoned",
    scenario=REFUSED,
    checker=truth.NAME,
    depth=0,
    planted=replacing((Mirror, "not_completed", _abandon)),
)
