"""First a look at what there is, then an ear for what comes: between them is a gap."""

from __future__ import annotations

import trio

from pyvirt_sim.clients import truth
from pyvirt_sim.scenarios.node_devices import EARLY, PROMISE
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio.driver.nodedev_watch import NodeDeviceWatch

# pyright: reportPrivateUsage=false


async def _run(
    self: NodeDeviceWatch, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    for address in await self._bus.addresses():
        self._known[address] = await self._driver(address)
    uevents = self._host.open_uevents()
    try:
        task_status.started()
        while True:
            await self._follow(uevents)
    finally:
        uevents.close()


MUTANT = Mutant(
    number=29,
    slug="nodedev-api-before-enumeration",
    title="A device that comes as the watch begins is in no list of the watch, and leaves unseen.",
    sources=("libvirt commit 9f0ae0b18e3e", "libvirt 9.0.0, nodeDeviceInitWait"),
    kind=BugClass.QVE,
    promise=PROMISE,
    replaces="the beginning of the watch: it lists first and listens then",
    scenario=EARLY,
    checker=truth.NAME,
    depth=1,
    planted=replacing((NodeDeviceWatch, "run", _run)),
)
