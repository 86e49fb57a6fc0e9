"""A domain is to run as a transient one, and while its job is waited for it goes or changes.

It was undefined, renamed, or a transient one that ended. The waiting call started it all the same:
a QEMU ran that no list had, of which nothing was written down, and which nobody could stop; or one
domain ran with another one's name in its definition. A waiting call that gave up could even make
the list forget another domain of that name. libvirt had it between undefining and starting (commit
b629c64e5e0a).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio

from pyvirt_sim.scenarios.hot_unplug import DOMAIN_XML
from pyvirt_trio import AlreadyExistsError, DomainState, Hypervisor, PyvirtError
from tests.regressions.world import machine, manager
from tests.simulated.driver.test_busy_domain import hold
from tests.simulated.driver.world import Clock, World, open_world


async def _in_the_queue(world: World, first: Callable[[], Awaitable[object]]) -> None:
    """``first`` and then a creation wait for the job, which is given back after both asked."""
    async with trio.open_nursery() as nursery:
        await nursery.start(hold, world, 5)
        nursery.start_soon(first)
        await trio.sleep(1)
        await world.hypervisor.create(DOMAIN_XML)


async def test_an_undefined_domain_runs_as_a_new_one_that_is_listed(autojump_clock: Clock) -> None:
    async with open_world() as world:
        await _in_the_queue(world, world.domain.undefine)
        (found,) = world.hypervisor.domains()
        assert (found.name, found.status.state) == ("demo", DomainState.RUNNING)
        await found.destroy()
        assert world.hypervisor.domains() == []


async def test_a_renamed_domain_is_another_one(autojump_clock: Clock) -> None:
    async with open_world() as world:
        with pytest.RaisesGroup(AlreadyExistsError):
            await _in_the_queue(world, lambda: world.domain.rename("other"))
        (found,) = world.hypervisor.domains()
        assert (found.name, found.status.is_active) == ("other", False)
        assert world.host.processes() == ()


async def test_who_gives_up_waiting_for_a_domain_that_is_gone_leaves_its_namesake_alone(
    autojump_clock: Clock,
) -> None:
    async with open_world() as world, trio.open_nursery() as nursery:
        await nursery.start(hold, world, 5)
        nursery.start_soon(world.domain.undefine)
        await trio.sleep(1)
        old = world.domain.job
        with trio.move_on_after(20):
            async with trio.open_nursery() as waiting:
                waiting.start_soon(world.hypervisor.create, DOMAIN_XML)
                await trio.sleep(4.5)  # undefined by now
                async with old.hold("look"):
                    await trio.sleep(20)
        await trio.sleep(1)
        running = [one for one in world.host.processes() if not one.has_ended]
        assert len(running) == len(world.hypervisor.domains())


@pytest.mark.simulated(schedules=60)
async def test_who_gives_up_waiting_for_a_domain_that_begins_leaves_it_on_the_list() -> None:
    async with machine() as host, manager(host) as hypervisor:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_try, _create, hypervisor)
            await trio.sleep(0.0005)  # it has the job, and its QEMU is being connected to
            with trio.move_on_after(0.001):
                await _try(_create, hypervisor)
        (found,) = hypervisor.domains()
        assert found.status.state is DomainState.RUNNING
        await hypervisor.define(DOMAIN_XML)
        assert hypervisor.domains() == [found]


@pytest.mark.simulated(schedules=60)
async def test_whoever_runs_is_listed_whatever_two_creators_and_a_destroyer_do() -> None:
    async with machine() as host, manager(host) as hypervisor:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_try, _create, hypervisor)
            nursery.start_soon(_try, _create, hypervisor)
            nursery.start_soon(_try, _destroy, hypervisor)
        running = [one for one in host.processes() if not one.has_ended]
        listed = [one for one in hypervisor.domains() if one.status.is_active]
        assert len(running) == len(listed) <= 1


async def _create(hypervisor: Hypervisor) -> None:
    await hypervisor.create(DOMAIN_XML)


async def _destroy(hypervisor: Hypervisor) -> None:
    while not hypervisor.domains():
        await trio.sleep(0.001)
    await hypervisor.domain("demo").destroy()


async def _try(call: Callable[[Hypervisor], Awaitable[None]], hypervisor: Hypervisor) -> None:
    try:
        await call(hypervisor)
    except PyvirtError:
        pass  # a refusal is an answer too
