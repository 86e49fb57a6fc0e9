"""The loop takes away what is still in use."""

from __future__ import annotations

from pyvirt_sim.clients.kubevirt import Handler
from pyvirt_sim.scenarios.client_services import AFTER_DETACH, AFTER_DETACH_PROMISE, VOLUME
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


async def _remove_volume(self: Handler, name: str, alias: str) -> None:
    self.unmount(name, alias)
    await self.detach(name, alias)


MUTANT = Mutant(
    number=24,
    slug="unmount-and-remount-around-detach",
    title="A volume is unmounted on the node while the domain still has it open.",
    sources=(
        "kubevirt commit bdb43bf3e040",
        "kubevirt commit 7190a59269fb",
    ),
    kind=BugClass.ORDER,
    promise=AFTER_DETACH_PROMISE,
    replaces="the handler's removal of a volume: unmount first, detach then",
    scenario=VOLUME,
    checker=AFTER_DETACH,
    depth=0,
    planted=replacing((Handler, "remove_volume", _remove_volume)),
)
