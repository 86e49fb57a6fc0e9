"""Two flows, one death, two notices."""

from __future__ import annotations

from pyvirt_sim.clients.incus import Incus
from pyvirt_sim.scenarios.client_services import INCUS_SLOW, ONE_END, ONE_END_PROMISE
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio import Domain


async def _stop(self: Incus, domain: Domain) -> None:
    self.operation = "shutdown"  # that flow is still waiting for its end
    await domain.destroy()
    self.tell(domain.name, domain.view.life, "stop")


MUTANT = Mutant(
    number=74,
    slug="shutdown-and-stopped-both-emitted",
    title="A shutdown that ran out of patience and the stop that followed both tell of the end.",
    sources=(
        "incus commit 8e66a4e70c",
        "incus commit 8ca942cd23",
        "incus commit 764078d6a2",
    ),
    kind=BugClass.DUP,
    promise=ONE_END_PROMISE,
    replaces="the daemon's stop: it tells of the end itself, beside the hook that does",
    scenario=INCUS_SLOW,
    checker=ONE_END,
    depth=0,
    planted=replacing((Incus, "stop", _stop)),
)
