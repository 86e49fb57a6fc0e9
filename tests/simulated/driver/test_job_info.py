"""Jobs that last: how far they are, how they are ended early, and what they leave behind."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
import trio.lowlevel

from pyvirt_trio import DefinitionError, Domain, InvalidStateError
from pyvirt_trio.models.events import JobCompleted
from pyvirt_trio.models.jobs import JobInfo, JobOperation, JobType
from tests.simulated.driver.test_reactions import booted, machine, settle, state, told
from tests.simulated.driver.test_saving import COPIED, IMAGE, copy_is, delay, files
from tests.simulated.driver.world import Clock, World, open_world

CORE = "/var/lib/core"
NONE = JobInfo()


async def whole(domain: Domain) -> None:
    await domain.core_dump(CORE, memory_only=False)


async def memory(domain: Domain) -> None:
    await domain.core_dump(CORE)


async def save(domain: Domain) -> None:
    await domain.save(IMAGE)


@asynccontextmanager
async def doing(
    world: World, call: Callable[[Domain], Awaitable[None]], **suppressed: str
) -> AsyncGenerator[trio.Event]:
    """A call is under way, slowly; the event says that it has ended."""
    ended = trio.Event()

    async def make() -> None:
        if suppressed:
            with pytest.raises(InvalidStateError, match=suppressed["match"]):
                await call(world.domain)
        else:
            await call(world.domain)
        ended.set()

    delay(world)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(make)
        yield ended


async def test_a_save_tells_how_far_it_is_and_once_what_it_came_to(autojump_clock: Clock) -> None:
    async with booted() as world:
        async with doing(world, save) as ended:
            await copy_is(world, "active")
            info = await world.domain.job_info()
            assert (info.type, info.operation) == (JobType.UNBOUNDED, JobOperation.SAVE)
            assert info.number("memory_remaining") == info.number("memory_total") > 256 << 20
            assert 1000 <= info.number("time_elapsed") <= 2000
            assert await world.domain.job_info(completed=True) == NONE
            await ended.wait()
        events = world.announced()
        [completed] = [one for one in events if isinstance(one, JobCompleted)]
        assert [type(one).__name__ for one in events] == [
            "DomainSuspended",
            *COPIED,
            "DomainStopped",
        ]
        kept = await world.domain.job_info(completed=True, keep_completed=True)
        assert kept.type is JobType.COMPLETED
        assert kept.number("memory_remaining") == 0
        assert kept.number("downtime") <= kept.number("time_elapsed")
        assert (completed.operation, completed.statistics) == ("save", kept.numbers)
        assert await world.domain.job_info(completed=True) == kept
        assert await world.domain.job_info(completed=True) == NONE
        with pytest.raises(InvalidStateError, match="domain is not running"):
            await world.domain.job_info()


async def test_the_numbers_bear_the_names_of_libvirt_in_its_order(autojump_clock: Clock) -> None:
    async with booted() as world:
        await save(world.domain)
        info = await world.domain.job_info(completed=True)
        assert [name for name, _ in info.numbers] == [
            "time_elapsed",
            "downtime",
            "setup_time",
            "data_total",
            "data_processed",
            "data_remaining",
            "memory_total",
            "memory_processed",
            "memory_remaining",
            "memory_constant",
            "memory_normal",
            "memory_normal_bytes",
            "memory_dirty_rate",
            "memory_iteration",
            "memory_postcopy_requests",
            "memory_page_size",
        ]


async def test_a_dump_of_the_whole_machine_is_a_job_like_a_save(autojump_clock: Clock) -> None:
    async with booted() as world:
        await whole(world.domain)
        assert told(world) == ["DomainSuspended.PAUSED", *COPIED, "DomainResumed.UNPAUSED"]
        assert (await world.domain.job_info(completed=True)).operation is JobOperation.DUMP
        assert "QEVM" in await world.host.read_text(CORE)
        assert await files(world, "/var/lib") == ["core"]
        assert state(world) == "running (unpaused)"


async def test_a_dump_of_memory_alone_tells_how_far_it_is_and_leaves_nothing(
    autojump_clock: Clock,
) -> None:
    async with booted() as world:
        async with doing(world, memory):
            while not machine(world).saving.is_dumping:
                await trio.sleep(0.1)
            info = await world.domain.job_info()
            assert (info.type, info.operation) == (JobType.UNBOUNDED, JobOperation.DUMP)
            assert [name for name, _ in info.numbers][-3:] == [
                "memory_total",
                "memory_processed",
                "memory_remaining",
            ]
            with pytest.raises(InvalidStateError, match="cannot abort memory-only dump"):
                await world.domain.abort_job()
        assert told(world) == ["DomainSuspended.PAUSED", "DomainResumed.UNPAUSED"]
        assert await world.domain.job_info(completed=True) == NONE


@pytest.mark.parametrize("call", [save, whole])
async def test_an_aborted_job_is_undone_announced_by_nobody_and_leaves_nothing(
    autojump_clock: Clock, call: Callable[[Domain], Awaitable[None]]
) -> None:
    async with booted() as world:
        async with doing(world, call, match="canceled by client"):
            await copy_is(world, "active")
            await world.domain.abort_job()
        await settle()
        assert told(world) == [
            "DomainSuspended.PAUSED",
            "MigrationIterated",
            "DomainResumed.UNPAUSED",
        ]
        assert await world.domain.job_info(completed=True) == NONE
        assert (await world.domain.job_info(), await files(world, "/var/lib")) == (NONE, [])


async def test_a_job_that_has_been_undone_says_so_to_who_still_asks(autojump_clock: Clock) -> None:
    async with booted() as world:
        async with doing(world, save, match="canceled by client"):
            await copy_is(world, "active")
            hold = world.domain.job.active_async
            assert hold is not None
            await world.domain.abort_job()
        assert (await hold.info()).type is JobType.CANCELLED


async def test_where_there_is_no_job_that_is_said(autojump_clock: Clock) -> None:
    async with open_world() as world:
        with pytest.raises(InvalidStateError, match="domain is not running"):
            await world.domain.job_info()
        with pytest.raises(InvalidStateError, match="domain is not running"):
            await world.domain.abort_job()
        with pytest.raises(DefinitionError):
            await world.domain.job_info(keep_completed=True)
        assert await world.domain.job_info(completed=True) == NONE
        await world.boot()
        assert await world.domain.job_info() == NONE
        with pytest.raises(InvalidStateError, match="no job is active on the domain"):
            await world.domain.abort_job()


async def test_a_start_is_a_job_that_nobody_can_abort(autojump_clock: Clock) -> None:
    async with open_world() as world, trio.open_nursery() as nursery:
        nursery.start_soon(world.domain.start)
        while world.domain.job.active_async is None:
            await trio.lowlevel.checkpoint()
        info = await world.domain.job_info()
        assert (info.type, info.operation) == (JobType.UNBOUNDED, JobOperation.START)
        with pytest.raises(InvalidStateError, match="use virDomainDestroy instead"):
            await world.domain.abort_job()
