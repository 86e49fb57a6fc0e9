"""A domain whose job somebody holds: who waits, who is told what, and what waits for ever."""

from __future__ import annotations

import math

import pytest
import trio
import trio.testing

from pyvirt_sim.host import open_sim_host
from pyvirt_sim.scenarios.hot_unplug import DOMAIN_XML
from pyvirt_trio import DeviceRemoved, JobActiveError, open_hypervisor
from pyvirt_trio.models.jobs import AsyncJob
from tests.simulated.driver.world import RNG_XML, URI, Clock, World, open_world


async def hold(
    world: World, held_s: float, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    async with world.domain.job.hold("set-memory"):
        task_status.started()
        await trio.sleep(held_s)


async def test_a_change_gives_up_after_thirty_seconds_and_says_who_had_the_domain(
    autojump_clock: Clock,
) -> None:
    async with open_world() as world, trio.open_nursery() as nursery:
        await world.boot()
        await nursery.start(hold, world, math.inf)
        before, began_s = world.domain.view, trio.current_time()
        with pytest.raises(JobActiveError) as caught:
            await world.domain.attach_device(RNG_XML)
        assert trio.current_time() - began_s == pytest.approx(30)
        assert (caught.value.code, caught.value.holder) == (68, "set-memory")
        assert "(held by monitor=set-memory for 30 s)" in str(caught.value)
        assert world.domain.view == before
        nursery.cancel_scope.cancel()


async def test_a_cancel_scope_makes_the_wait_shorter_and_takes_nothing(
    autojump_clock: Clock,
) -> None:
    async with open_world() as world, trio.open_nursery() as nursery:
        await world.boot()
        await nursery.start(hold, world, 5)
        with trio.move_on_after(1) as patience:
            await world.domain.attach_device(RNG_XML)
        assert patience.cancelled_caught
        await trio.sleep(5)
        assert world.domain.definition.device("rng0") is None
        await world.domain.attach_device(RNG_XML)


async def test_questions_are_answered_at_once_and_destroy_does_not_wait(
    autojump_clock: Clock,
) -> None:
    async with open_world() as world, trio.open_nursery() as nursery:
        await world.boot()
        await nursery.start(hold, world, math.inf)
        began_s = trio.current_time()
        assert "<name>demo</name>" in world.domain.xml()
        assert world.domain.status.is_active
        await world.domain.destroy()
        assert trio.current_time() - began_s < 30
        assert world.domain.view.live is None
        nursery.cancel_scope.cancel()


async def test_what_the_guest_gave_up_is_torn_down_however_long_the_job_is_held(
    autojump_clock: Clock,
) -> None:
    """libvirt gives this up after 30 seconds, and the device stays in the definition for ever."""
    async with open_world() as world, trio.open_nursery() as nursery:
        await world.boot()
        await world.domain.attach_device(RNG_XML)
        world.announced()
        await world.domain.request_detach("rng0")
        await nursery.start(hold, world, 600)
        began_s = trio.current_time()
        record = await world.events.receive()
        assert isinstance(record.event, DeviceRemoved)
        assert trio.current_time() - began_s == pytest.approx(600)
        assert world.domain.definition.device("rng0") is None


async def test_an_async_job_keeps_changes_out_and_lets_the_teardown_in_when_it_ends(
    autojump_clock: Clock,
) -> None:
    async with open_world() as world:
        await world.boot()
        await world.domain.attach_device(RNG_XML)
        await world.domain.request_detach("rng0")
        async with world.domain.job.hold_async("dump", AsyncJob.DUMP):
            with pytest.raises(JobActiveError, match="held by monitor=dump for 30 s"):
                await world.domain.attach_device(RNG_XML)
            assert world.domain.definition.device("rng0") is not None
        await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(1)
        assert world.domain.definition.device("rng0") is None


async def test_a_hypervisor_may_limit_how_many_calls_wait_for_one_domain(
    autojump_clock: Clock,
) -> None:
    async with (
        open_sim_host() as host,
        open_hypervisor(URI, host=host, max_queued_jobs=1) as hypervisor,
    ):
        domain = await hypervisor.define(DOMAIN_XML)
        async with domain.job.hold("set-memory"):
            with pytest.raises(JobActiveError, match="due to max_queued limit") as caught:
                await domain.attach_device(RNG_XML)
        assert caught.value.code == 9
        await domain.attach_device(RNG_XML)
