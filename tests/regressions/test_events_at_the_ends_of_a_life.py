"""QEMU tells something at the moment at which its life begins under a new manager, or is left.

What an event sets off needs the life's nursery. At a reconnect the monitor was open before the
nursery, and the first event that wanted a task (a guest powers off and is to be restarted, a block
job has ended) ended the session, the life and the whole manager. libvirt 4.5.0 crashed the same
way: its worker pool came after the monitors.
"""

from __future__ import annotations

from functools import partial

import pytest
import trio

from pyvirt_trio import DomainState
from tests.regressions.world import (
    RESTARTING_XML,
    boot,
    machine,
    manager,
    power_off,
    some_steps_later,
)


@pytest.mark.simulated(schedules=150)
async def test_a_guest_that_powers_off_as_it_is_reconnected_is_restarted() -> None:
    async with machine() as host, trio.open_nursery() as nursery:
        async with manager(host) as hypervisor:
            await boot(hypervisor, host, RESTARTING_XML)
        nursery.start_soon(some_steps_later, partial(power_off, host))
        async with manager(host) as hypervisor:
            await trio.sleep(60)
            assert hypervisor.domain("demo").status.state is DomainState.RUNNING
            assert host.processes()[-1].qemu.machine.is_running


@pytest.mark.simulated(schedules=100)
async def test_a_guest_that_powers_off_as_its_manager_leaves_is_restarted_by_the_next() -> None:
    async with machine() as host, trio.open_nursery() as nursery:
        async with manager(host) as hypervisor:
            await boot(hypervisor, host, RESTARTING_XML)
            nursery.start_soon(some_steps_later, partial(power_off, host))
            for _ in range(10):
                await trio.lowlevel.checkpoint()
        async with manager(host) as hypervisor:
            await trio.sleep(60)
            assert hypervisor.domain("demo").status.state is DomainState.RUNNING
