"""A guest powers off and its machine is to be reset; meanwhile somebody suspends or saves it.

The processors stood still already, so "stop" did nothing, and the reset that came next let them
run: a suspended domain that ran, and, worse, a machine that ran while its memory was being saved.
libvirt resets under the domain's job, and so does this library now. Who has the job is told that
there is nothing to stop.
"""

from __future__ import annotations

import contextlib
from functools import partial

import pytest
import trio

from pyvirt_sim.host import SimHost
from pyvirt_trio import Domain, DomainState, InvalidStateError
from tests.regressions.world import (
    RESTARTING_XML,
    boot,
    machine,
    manager,
    power_off,
    some_steps_later,
)


async def _agree(host: SimHost, domain: Domain) -> None:
    """The domain's state is its machine's."""
    await trio.sleep(30)
    runs = host.processes()[-1].qemu.machine.is_running
    assert runs is (domain.status.state is DomainState.RUNNING)


@pytest.mark.simulated(schedules=150)
async def test_a_suspended_domain_stands_still() -> None:
    async with machine() as host, manager(host) as hypervisor, trio.open_nursery() as nursery:
        await boot(hypervisor, host, RESTARTING_XML)
        domain = hypervisor.domain("demo")
        nursery.start_soon(some_steps_later, partial(power_off, host))
        for _ in range(10):
            await trio.lowlevel.checkpoint()
        with contextlib.suppress(InvalidStateError):
            await domain.suspend()
            assert domain.status.state is DomainState.PAUSED
        await _agree(host, domain)


@pytest.mark.simulated(schedules=150)
async def test_a_machine_that_is_saved_stands_still_and_goes_on_later() -> None:
    async with machine() as host, manager(host) as hypervisor, trio.open_nursery() as nursery:
        await boot(hypervisor, host, RESTARTING_XML)
        domain = hypervisor.domain("demo")
        nursery.start_soon(some_steps_later, partial(power_off, host))
        for _ in range(10):
            await trio.lowlevel.checkpoint()
        with contextlib.suppress(InvalidStateError):
            await domain.managed_save()  # the simulated QEMU refuses to save what runs
            assert not domain.status.is_active
            await domain.start()
        await _agree(host, domain)
        assert domain.status.state is DomainState.RUNNING
