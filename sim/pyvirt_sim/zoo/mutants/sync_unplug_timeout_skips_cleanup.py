"""The work hangs on the caller's patience."""

from __future__ import annotations

import trio

from pyvirt_sim.clients.vdsm import UNPLUG_PATIENCE_S, Vdsm
from pyvirt_sim.scenarios.client_services import CLEANED_ONCE, CLEANED_PROMISE, VDSM_LATE
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio import DeviceRemoved


def _on_removed(self: Vdsm, event: DeviceRemoved) -> None:
    self.removed.setdefault(event.alias, trio.Event()).set()


async def _hot_unplug(self: Vdsm, name: str, alias: str) -> None:
    self.removed[alias] = trio.Event()
    await self.hypervisor.domain(name).request_detach(alias)
    with trio.move_on_after(UNPLUG_PATIENCE_S):
        await self.removed[alias].wait()
        self.clean_up(name, alias)
        return
    raise TimeoutError(alias)


MUTANT = Mutant(
    number=22,
    slug="sync-unplug-timeout-skips-cleanup",
    title="The clean-up stands after the wait of the call: when the guest is late, nobody does it.",
    sources=("vdsm commit fcaaba81b02e",),
    kind=BugClass.LOST,
    promise=CLEANED_PROMISE,
    replaces=(
        "vdsm's unplug and its handler: the call cleans up after its wait, the event only wakes it"
    ),
    scenario=VDSM_LATE,
    checker=CLEANED_ONCE,
    depth=0,
    planted=replacing((Vdsm, "on_removed", _on_removed), (Vdsm, "hot_unplug", _hot_unplug)),
)
