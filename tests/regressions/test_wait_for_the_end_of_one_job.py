"""Who aborts a block job and waits for its end waits for that job, and no other.

The next job on the disk has the same name, so a waiter who looked for the name again, and was let
go a moment late, waited for the end of somebody else's job. KubeVirt's commits 870b2b0192e2 and
8f921c4a7d66 tell the same of backups: a name that is used again is no identity.
"""

from __future__ import annotations

import pytest
import trio

from pyvirt_sim.host import open_sim_host
from pyvirt_sim.qemu.image_head import ImageHead
from pyvirt_trio import Domain, Subscription, open_hypervisor
from pyvirt_trio.models.events import BlockJobChanged
from tests.simulated.driver.test_block_jobs import MIB, XML
from tests.simulated.driver.world import URI

PATIENCE_S = 1.0
"""The second job, at a byte a second, takes 48 days."""


async def _pull_again(domain: Domain, events: Subscription) -> None:
    async for record in events:
        if isinstance(record.event, BlockJobChanged):
            await domain.block_pull("vda", bytes_per_s=1)


@pytest.mark.simulated(schedules=60)
async def test_an_abort_returns_although_the_next_job_has_begun() -> None:
    async with open_sim_host() as host:
        for path, text in (
            ("/images/base", ""),
            ("/images/plain", ""),
            ("/images/top", ImageHead(4 * MIB, "/images/base").encode()),
        ):
            host.add_file(path, text)
        async with open_hypervisor(URI, host=host) as hypervisor:
            domain = await hypervisor.define(XML)
            await domain.start()
            await domain.block_pull("vda", bytes_per_s=1)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_pull_again, domain, hypervisor.subscribe()[1])
                with trio.fail_after(PATIENCE_S):
                    await domain.block_job_abort("vda")
                nursery.cancel_scope.cancel()
