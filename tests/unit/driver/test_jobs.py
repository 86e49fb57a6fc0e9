"""The jobs of a domain: who has to wait for whom, how long, and what is said then."""

from __future__ import annotations

import math

import pytest
import trio

from pyvirt_trio.driver.jobs import JobLock
from pyvirt_trio.errors import ErrorCode, InvalidStateError, JobActiveError
from pyvirt_trio.models.jobs import (
    ADMITTED,
    UNABORTABLE,
    WHILE_SNAPSHOT_PREPARES,
    WHILE_SNAPSHOT_SAVES_MEMORY,
    AsyncJob,
    JobKind,
)

Clock = trio.testing.MockClock
LIBVIRTS_MASKS = {
    AsyncJob.START: "destroy",
    AsyncJob.SAVE: "query destroy abort",
    AsyncJob.DUMP: "query destroy abort",
    AsyncJob.SNAPSHOT: "query destroy abort",
    AsyncJob.BACKUP: "query destroy abort suspend modify",
    AsyncJob.MIGRATION_OUT: "query destroy abort suspend migration-op modify-migration-safe",
    AsyncJob.MIGRATION_IN: "destroy modify-migration-safe",
}


def kinds(words: str) -> set[JobKind]:
    return {JobKind[word.upper().replace("-", "_")] for word in words.split()}


async def is_let_in(lock: JobLock, kind: JobKind) -> bool:
    with trio.move_on_after(1):
        async with lock.hold("call", kind):
            return True
    return False


async def hold_for_ever(
    lock: JobLock, name: str, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    async with lock.hold(name, patience_s=math.inf):
        task_status.started()
        await trio.sleep_forever()


@pytest.mark.parametrize("kind", AsyncJob)
async def test_an_async_job_lets_in_what_libvirts_masks_name(
    kind: AsyncJob, autojump_clock: Clock
) -> None:
    lock = JobLock()
    assert kinds(LIBVIRTS_MASKS[kind]) == ADMITTED[kind]
    async with lock.hold_async("long", kind):
        let_in = {one for one in JobKind if await is_let_in(lock, one)}
    assert {*ADMITTED[kind], JobKind.QUERY} == let_in
    assert await is_let_in(lock, JobKind.MODIFY)


async def test_phases_of_a_snapshot_let_in_less_and_more(autojump_clock: Clock) -> None:
    lock = JobLock()
    async with lock.hold_async("snapshot", AsyncJob.SNAPSHOT) as hold:
        hold.admit(WHILE_SNAPSHOT_PREPARES)
        assert not await is_let_in(lock, JobKind.ABORT)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(is_let_in, lock, JobKind.SUSPEND)
            await trio.sleep(0.5)
            assert lock.waiting == 1
            hold.admit(WHILE_SNAPSHOT_SAVES_MEMORY)
            assert lock.waiting == 0
        hold.admit(set())
        assert await is_let_in(lock, JobKind.DESTROY)


@pytest.mark.parametrize("kind", [*JobKind, *AsyncJob])
async def test_a_normal_job_keeps_out_all_but_queries(
    kind: JobKind | AsyncJob, autojump_clock: Clock
) -> None:
    lock = JobLock()
    async with trio.open_nursery() as nursery:
        await nursery.start(hold_for_ever, lock, "attach-device")
        if kind is JobKind.QUERY:
            assert await is_let_in(lock, kind)
        elif isinstance(kind, JobKind):
            assert not await is_let_in(lock, kind)
        else:
            with pytest.raises(JobActiveError, match="held by monitor=attach-device"):
                async with lock.hold_async("long", kind):
                    pass
        nursery.cancel_scope.cancel()


async def test_a_wait_ends_after_thirty_seconds_and_names_holder_and_age(
    autojump_clock: Clock,
) -> None:
    lock = JobLock()
    async with trio.open_nursery() as nursery:
        await nursery.start(hold_for_ever, lock, "attach-device")
        await trio.sleep(12)
        began_s = trio.current_time()
        with pytest.raises(JobActiveError) as caught:
            async with lock.hold("detach-device"):
                pass
        assert trio.current_time() - began_s == pytest.approx(30)
        assert lock.waiting == 0
        nursery.cancel_scope.cancel()
    assert str(caught.value) == (
        "cannot acquire state change lock (held by monitor=attach-device for 42 s)"
    )
    assert (
        caught.value.code,
        caught.value.holder,
    ) == (ErrorCode.OPERATION_TIMEOUT, "attach-device")
    assert caught.value.age_s == pytest.approx(42)


async def test_whoever_keeps_a_call_out_is_named(autojump_clock: Clock) -> None:
    lock = JobLock()
    async with lock.hold_async("save", AsyncJob.SAVE), lock.hold("look", JobKind.ABORT):
        with pytest.raises(JobActiveError, match=r"\(held by monitor=save for 30 s\)$"):
            async with lock.hold("attach-device"):
                pass
        with pytest.raises(JobActiveError, match=r"\(held by monitor=look for 60 s\)$"):
            async with lock.hold("abort", JobKind.ABORT):
                pass


async def test_a_patient_call_waits_longer(autojump_clock: Clock) -> None:
    lock = JobLock()
    async with trio.open_nursery() as nursery:
        await nursery.start(hold_for_ever, lock, "attach-device")
        with trio.move_on_after(3600) as hour:
            async with lock.hold("remove-device", patience_s=math.inf):
                pass
        assert hour.cancelled_caught
        nursery.cancel_scope.cancel()


async def test_an_agent_that_hangs_holds_up_the_next_agent_call_and_nothing_else(
    autojump_clock: Clock,
) -> None:
    lock = JobLock()
    async with lock.hold_agent("fsfreeze"):
        assert await is_let_in(lock, JobKind.MODIFY)
        async with lock.hold_async("save", AsyncJob.SAVE):
            assert lock.active_agent is not None
        with pytest.raises(JobActiveError, match="held by agent=fsfreeze for 30 s"):
            async with lock.hold_agent("set-time"):
                pass
    async with lock.hold_agent("set-time"):
        pass


async def test_commands_of_an_async_job_take_turns_with_the_jobs_it_lets_in(
    autojump_clock: Clock,
) -> None:
    lock = JobLock()
    async with lock.hold_async("dump", AsyncJob.DUMP) as hold:
        async with hold.nested():
            assert not await is_let_in(lock, JobKind.ABORT)
        assert await is_let_in(lock, JobKind.ABORT)


async def test_more_calls_than_may_queue_are_refused_at_once() -> None:
    lock = JobLock(max_queued=2)
    async with trio.open_nursery() as nursery:
        await nursery.start(hold_for_ever, lock, "attach-device")
        nursery.start_soon(hold_for_ever, lock, "second")
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(JobActiveError) as caught:
            async with lock.hold("third"):
                pass
        assert "(held by monitor=attach-device for 0 s) due to max_queued limit" in str(
            caught.value
        )
        assert ErrorCode.OPERATION_FAILED is caught.value.code
        with pytest.raises(JobActiveError, match=r"^cannot acquire state change lock due to max"):
            async with lock.hold_agent("third"):
                pass
        nursery.start_soon(is_let_in, lock, JobKind.DESTROY)
        await trio.testing.wait_all_tasks_blocked()
        assert lock.waiting == 2, "destroy is exempt"
        nursery.cancel_scope.cancel()


async def test_an_async_job_is_asked_to_end_and_some_cannot_be() -> None:
    lock = JobLock()
    with pytest.raises(InvalidStateError, match="no job is active on the domain"):
        lock.abort()
    async with lock.hold_async("save", AsyncJob.SAVE) as hold:
        assert not hold.abort_requested.is_set()
        lock.abort()
        assert hold.abort_requested.is_set()
    for kind, words in UNABORTABLE.items():
        async with lock.hold_async("long", kind) as hold:
            with pytest.raises(InvalidStateError, match=words):
                lock.abort()
            assert not hold.abort_requested.is_set()


def test_time_is_that_of_libvirt() -> None:
    from pyvirt_trio.driver import jobs

    assert jobs.PATIENCE_S == 30
