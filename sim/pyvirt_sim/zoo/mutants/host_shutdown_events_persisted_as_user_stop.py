"""Right events, wrong conclusion: nobody wished those stops."""

from __future__ import annotations

import trio

from pyvirt_sim.clients import truth
from pyvirt_sim.clients.nova import Nova
from pyvirt_sim.scenarios.client_services import NOVA_DOWN
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


async def _host_shuts_down(self: Nova, _listening: trio.CancelScope) -> None:
    for domain in self.hypervisor.domains():
        await domain.destroy()


MUTANT = Mutant(
    number=65,
    slug="host-shutdown-events-persisted-as-user-stop",
    title="The host takes its guests down, and each is recorded as stopped by its owner.",
    sources=(
        "nova commit d1fb8d0fbd",
        "https://bugs.launchpad.net/nova/+bug/1444630",
    ),
    kind=BugClass.MISATTR,
    promise="A stop that comes of the host going down does not change what the owner wants.",
    replaces="nova's end: it goes on listening while the guests are stopped",
    scenario=NOVA_DOWN,
    checker=truth.NAME,
    depth=0,
    planted=replacing((Nova, "host_shuts_down", _host_shuts_down)),
)
