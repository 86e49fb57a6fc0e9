"""The worker is busy with another domain, and much happens meanwhile."""

from __future__ import annotations

import trio

from pyvirt_sim.clients import truth
from pyvirt_sim.scenarios.lives import TWO_END
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio.driver.domain_core import DomainCore
from pyvirt_trio.driver.ending import Ending
from pyvirt_trio.driver.life import Life
from pyvirt_trio.qmp.session import QmpSession

CLEANUP_S = 5.0
"""How long the worker is busy with one domain."""


async def _watch_monitor(self: Life, session: QmpSession) -> None:
    domain = self.domain
    await session.wait_ended()
    domain.hypervisor.nursery.start_soon(_work, domain, name="worker")


async def _work(domain: DomainCore) -> None:
    worker = vars(domain.hypervisor).setdefault("_worker", trio.CapacityLimiter(1))
    async with worker:
        await trio.sleep(CLEANUP_S)
        if domain.current_life is not None:
            domain.current_life.end(Ending.LOST)


MUTANT = Mutant(
    number=43,
    slug="queued-eof-kills-next-incarnation",
    title="An end of file waits in the queue of one worker, and stops the next life of its domain.",
    sources=(
        "libvirt commit dd2f36d66ecf",
        "libvirt 9.0.0, qemu_driver.c: a pool of at most one worker",
    ),
    kind=BugClass.STALE,
    promise="What the end of a monitor sets off acts only on the life whose monitor it was.",
    replaces=(
        "the watch over the monitor: its end is a job for one worker of all domains, "
        "which knows the domain and not the life"
    ),
    scenario=TWO_END,
    checker=truth.NAME,
    depth=2,
    planted=replacing((Life, "_watch_monitor", _watch_monitor)),
)
