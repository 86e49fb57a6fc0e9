"""Lives: what is announced, what can be asked, and what is left after each kind of end."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio

from pyvirt_sim.host import open_sim_host
from pyvirt_trio import (
    AlreadyExistsError,
    ConflictError,
    DomainShutdown,
    DomainStopped,
    HostError,
    InvalidStateError,
    NotFoundError,
    open_hypervisor,
)
from pyvirt_trio.models import DomainState, ShutdownDetail, ShutoffReason, StoppedDetail
from pyvirt_trio.models.events import HypervisorEvent
from tests.simulated.driver.world import URI, Clock, World, open_world


def kinds(events: Sequence[object]) -> list[str]:
    return [type(event).__name__ for event in events]


def detail(event: HypervisorEvent) -> StoppedDetail:
    assert isinstance(event, DomainStopped)
    return event.detail


def state(world: World) -> DomainState:
    return world.domain.status.state


async def test_start_and_destroy_in_libvirt_s_order(autojump_clock: Clock) -> None:
    async with open_world() as world:
        await world.domain.start()
        assert kinds(world.announced()) == ["DomainResumed", "DomainStarted"]
        assert state(world) is DomainState.RUNNING
        await world.domain.destroy()
        shutdown, stopped = world.announced()
        assert isinstance(shutdown, DomainShutdown)
        assert shutdown.detail is ShutdownDetail.HOST
        assert detail(stopped) is StoppedDetail.DESTROYED
        assert state(world) is DomainState.SHUTOFF
        assert world.host.processes()[0].has_ended


async def test_a_paused_start_and_resume(autojump_clock: Clock) -> None:
    async with open_world() as world:
        await world.domain.start(paused=True)
        assert kinds(world.announced()) == ["DomainStarted", "DomainSuspended"]
        await world.domain.resume()
        assert kinds(world.announced()) == ["DomainResumed"]
        await world.domain.suspend()
        assert kinds(world.announced()) == ["DomainSuspended"]
        assert state(world) is DomainState.PAUSED


async def test_a_guest_that_shuts_down_is_not_a_crash(autojump_clock: Clock) -> None:
    async with open_world() as world:
        await world.boot()
        await world.domain.shutdown()
        async for record in world.events:
            if type(record.event).__name__ == "DomainStopped":
                assert detail(record.event) is StoppedDetail.SHUTDOWN
                break
        assert world.domain.status.reason is ShutoffReason.SHUTDOWN


async def test_a_killed_qemu_is_a_crash_and_the_next_life_is_another(autojump_clock: Clock) -> None:
    async with open_world() as world:
        await world.boot()
        world.host.processes()[0].kill()
        record = await world.events.receive()
        assert detail(record.event) is StoppedDetail.FAILED
        assert world.domain.status.reason is ShutoffReason.CRASHED
        assert isinstance(record.event, DomainStopped)
        assert record.event.life == 1
        await world.domain.start()
        assert [event.life for event in world.announced()] == [2, 2]


async def test_a_qemu_that_refuses_to_start_says_why_and_leaves_nothing(
    autojump_clock: Clock,
) -> None:
    async with open_world() as world:
        xml = world.domain.xml().replace("/boot/vmlinuz", "/boot/missing")
        await world.hypervisor.define(xml)
        world.announced()
        with pytest.raises(HostError, match="could not open kernel file '/boot/missing'"):
            await world.domain.start()
        assert world.announced() == []
        assert world.domain.status.reason is ShutoffReason.FAILED
        with pytest.raises(InvalidStateError, match="not running"):
            await world.domain.destroy()


async def test_a_cancelled_start_leaves_nothing(autojump_clock: Clock) -> None:
    for patience_s in (0, 0.0005, 0.001, 0.0015, 0.002):
        async with open_world() as world:
            with trio.move_on_after(patience_s):
                await world.domain.start()
                continue
            assert not world.domain.status.is_active
            assert all(process.has_ended for process in world.host.processes())
            await world.domain.start()
            assert world.domain.status.is_active


async def test_starting_twice_is_refused(autojump_clock: Clock) -> None:
    async with open_world() as world:
        await world.domain.start()
        with pytest.raises(InvalidStateError, match="domain is already running"):
            await world.domain.start()


async def test_definitions_survive_the_hypervisor_and_running_domains_do_not_if_asked_so(
    autojump_clock: Clock,
) -> None:
    async with open_sim_host() as host:
        host.add_file("/boot/vmlinuz")
        async with open_hypervisor(URI, host=host, destroy_on_exit=True) as hypervisor:
            from pyvirt_sim.scenarios.hot_unplug import DOMAIN_XML

            domain = await hypervisor.define(DOMAIN_XML)
            definition = domain.definition
            await domain.start()
        assert all(process.has_ended for process in host.processes())
        async with open_hypervisor(URI, host=host) as hypervisor:
            assert hypervisor.domain("demo").definition == definition
            assert not hypervisor.domain("demo").status.is_active


async def test_two_hypervisors_on_one_root_are_refused(autojump_clock: Clock) -> None:
    async with open_world() as world:
        with pytest.raises(ConflictError, match="managed by another process"):
            async with open_hypervisor(URI, host=world.host):
                raise AssertionError("not reached")


async def test_an_error_in_the_block_leaves_it_as_it_is(autojump_clock: Clock) -> None:
    async def fail() -> None:
        async with open_world() as world:
            await world.domain.start()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()


async def test_name_and_uuid_belong_together(autojump_clock: Clock) -> None:
    async with open_world() as world:
        xml = world.domain.xml()
        other = xml.replace(str(world.domain.uuid), "5f6a7b80-1658-4198-9d3c-000000000002")
        with pytest.raises(AlreadyExistsError, match="already exists with uuid"):
            await world.hypervisor.define(other)
        with pytest.raises(AlreadyExistsError, match="already defined with uuid"):
            await world.hypervisor.define(xml.replace(">demo<", ">demo2<"))
        assert [domain.name for domain in world.hypervisor.domains()] == ["demo"]


async def test_undefining_a_running_domain_lets_it_run_and_then_it_is_gone(
    autojump_clock: Clock,
) -> None:
    async with open_world() as world:
        await world.domain.start()
        await world.domain.undefine()
        assert world.hypervisor.domain("demo") is world.domain
        await world.domain.destroy()
        with pytest.raises(NotFoundError, match="no domain with matching name 'demo'"):
            world.hypervisor.domain("demo")
        assert await world.host.list_directory("/vms/etc") == []
