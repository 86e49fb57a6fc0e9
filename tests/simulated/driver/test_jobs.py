"""The jobs of a domain under every order of calls that come, give up and end."""

from __future__ import annotations

import attrs
import hypothesis.strategies as st
import pytest
import trio
from hypothesis import given

from pyvirt_trio.driver.jobs import JobLock
from pyvirt_trio.errors import JobActiveError
from pyvirt_trio.models.jobs import ADMITTED, AsyncJob, JobKind

WANTED: list[JobKind | AsyncJob | None] = [*JobKind, *AsyncJob, None]


@attrs.frozen
class Call:
    """A call that comes, holds its job for so many steps, and gives up at some moment or never."""

    wants: JobKind | AsyncJob | None
    steps: int
    gives_up: bool


@attrs.define
class Held:
    """Who believes to have a job now."""

    normal: list[JobKind]
    asynchronous: list[AsyncJob]
    agent: int = 0

    def check(self) -> None:
        assert len(self.normal) <= 1
        assert len(self.asynchronous) <= 1
        assert self.agent <= 1


async def make(lock: JobLock, held: Held, call: Call) -> None:
    try:
        if call.wants is None:
            async with lock.hold_agent("agent"):
                held.agent += 1
                await hold_on(held, call)
                held.agent -= 1
        elif isinstance(call.wants, AsyncJob):
            async with lock.hold_async("long", call.wants):
                held.asynchronous.append(call.wants)
                await hold_on(held, call)
                held.asynchronous.pop()
        else:
            async with lock.hold("call", call.wants):
                if call.wants is JobKind.QUERY:
                    return
                for other in held.asynchronous:
                    assert call.wants in ADMITTED[other]
                held.normal.append(call.wants)
                await hold_on(held, call)
                held.normal.pop()
    except JobActiveError as error:
        raise AssertionError("nobody waits for 30 s when everybody else goes on") from error


async def hold_on(held: Held, call: Call) -> None:
    with trio.CancelScope(shield=True):
        for _ in range(call.steps):
            held.check()
            await trio.lowlevel.checkpoint()
        held.check()


calls = st.lists(
    st.builds(Call, wants=st.sampled_from(WANTED), steps=st.integers(0, 3), gives_up=st.booleans()),
    max_size=6,
)


@pytest.mark.simulated(schedules=10)
@given(calls=calls)
async def test_jobs_exclude_each_other_and_none_is_lost(calls: list[Call]) -> None:
    lock, held = JobLock(), Held([], [])
    async with trio.open_nursery() as nursery:
        async with trio.open_nursery() as impatient:
            for call in calls:
                (impatient if call.gives_up else nursery).start_soon(make, lock, held, call)
            await trio.lowlevel.checkpoint()
            impatient.cancel_scope.cancel()
    assert lock.waiting == 0
    assert (lock.active, lock.active_async, lock.active_agent) == (None, None, None)
    async with lock.hold_async("free", AsyncJob.SAVE), lock.hold_agent("free"):
        pass
