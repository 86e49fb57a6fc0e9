"""The host side goes first."""

from __future__ import annotations

from pyvirt_sim.clients.nova import Nova
from pyvirt_sim.scenarios.client_services import AFTER_DETACH, AFTER_DETACH_PROMISE, NOVA_PORT
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


async def _unplug_port(self: Nova, name: str, alias: str) -> None:
    self.unplug(name, alias)
    await self.detach(name, alias)


MUTANT = Mutant(
    number=23,
    slug="network-unplug-before-device-gone",
    title=(
        "What is behind a network card on the host is taken down before the guest has "
        "lost the card."
    ),
    sources=(
        "nova commit 7e8a9786dc3d",
        "nova commit a3b3e8d831",
        "https://bugs.launchpad.net/nova/+bug/1607714",
    ),
    kind=BugClass.ORDER,
    promise=AFTER_DETACH_PROMISE,
    replaces="nova's unplugging of a port: host first, then guest",
    scenario=NOVA_PORT,
    checker=AFTER_DETACH,
    depth=0,
    planted=replacing((Nova, "unplug_port", _unplug_port)),
)
