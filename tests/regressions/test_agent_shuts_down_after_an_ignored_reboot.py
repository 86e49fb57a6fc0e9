"""A guest ignores a reboot by ACPI; later its agent is told to shut it down.

`Domain.shutdown` took the wish for a reboot back, and `Domain.agent.shutdown` did not: the machine
was reset instead of stopped. libvirt's commit 8be502fd908c: every way to ask replaces what was
asked before.
"""

from __future__ import annotations

import trio

from tests.simulated.driver.test_agent import booted
from tests.simulated.driver.world import Clock


async def test_the_domain_stops(autojump_clock: Clock) -> None:
    async with booted() as world:
        world.guest.obeys_powerdown = False
        await world.domain.reboot()
        await trio.sleep(10)
        await world.domain.agent.shutdown()
        await trio.sleep(30)
        assert not world.domain.status.is_active
