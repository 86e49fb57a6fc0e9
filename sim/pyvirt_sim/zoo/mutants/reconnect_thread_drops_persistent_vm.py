"""Two steps of a start-up, the wrong way round."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import attrs

from pyvirt_sim.clients import truth
from pyvirt_sim.scenarios.restarts import DIES_MEANWHILE
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio.driver import opening, restoring
from pyvirt_trio.driver.hypervisor import Hypervisor
from pyvirt_trio.driver.status_log import Remembered, StatusLog


async def _restore(hypervisor: Hypervisor, log: StatusLog, remembered: Remembered) -> None:
    keeper = restoring._Keeper(hypervisor, log)
    kept = restoring._kept(log, remembered)
    await keeper.begin()
    hypervisor.journal.keep = keeper.keep
    restoring._take(hypervisor, attrs.evolve(remembered, journal=None), kept, {})
    known = {str(domain.uuid): domain for domain in hypervisor.domains()}
    await restoring._reconnect_all(hypervisor, list(known.values()))
    found = await restoring._definitions(hypervisor, remembered)
    new = {key: definition for key, definition in found.items() if key not in known}
    restoring._take(hypervisor, remembered, {}, new)
    for key, domain in known.items():
        with hypervisor.journal.commit() as commit:
            commit.update(domain, persistent=found.get(key))


MUTANT = Mutant(
    number=51,
    slug="reconnect-thread-drops-persistent-vm",
    title=(
        "Reconnecting begins before definitions are read: a domain whose QEMU has died is "
        "dropped as transient."
    ),
    sources=(
        "libvirt commit f26701f56552",
        "libvirt commit 02cf57c0d0d2",
    ),
    kind=BugClass.ORDER,
    promise="All definitions are known before any reconnecting begins.",
    replaces="the order of a restart: statuses, reconnecting, and only then the definitions",
    scenario=DIES_MEANWHILE,
    checker=truth.NAME,
    depth=1,
    planted=replacing((opening, "restore", _restore)),
)
