"""Events without an observer: kept in a bounded queue, with an explicit gap."""

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from pyvirt_trio.errors import RemoteProtocolError, ResyncRequiredError
from pyvirt_trio.qmp.limits import MAX_QUEUED_EVENTS
from tests.unit.qmp.peer import STAMP, peer_and_session


async def test_events_come_in_wire_order_and_end_with_the_connection() -> None:
    async with peer_and_session() as (peer, session):
        for name in ("STOP", "RESUME", "RESET"):
            await peer.event(name)
        await peer.stream.aclose()
        assert [event.name async for event in session.events] == ["STOP", "RESUME", "RESET"]


async def test_a_reader_that_waits_is_woken_by_event_and_end(nursery: trio.Nursery) -> None:
    heard: list[str] = []
    async with peer_and_session() as (peer, session):

        async def listen() -> None:
            heard.append((await anext(session.events)).name)
            with pytest.raises(StopAsyncIteration):
                await anext(session.events)
            heard.append("end")

        nursery.start_soon(listen)
        await wait_all_tasks_blocked()
        await peer.event("STOP")
        await wait_all_tasks_blocked()
        assert heard == ["STOP"]
    await wait_all_tasks_blocked()
    assert heard == ["STOP", "end"]


async def test_garbage_is_raised_after_the_events_before_it() -> None:
    async with peer_and_session() as (peer, session):
        await peer.event("STOP")
        await peer.stream.send_all(b"garbage\n")
        assert (await anext(session.events)).name == "STOP"
        with pytest.raises(RemoteProtocolError):
            await anext(session.events)


async def test_a_slow_reader_gets_one_gap_and_then_goes_on() -> None:
    extra = 7
    async with peer_and_session() as (peer, session):
        await peer.send(
            *(
                {"event": "STOP", "data": {"n": n}, "timestamp": STAMP}
                for n in range(MAX_QUEUED_EVENTS + extra)
            )
        )
        # The monitor is read on, although nobody reads the events.
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def answer() -> None:
                await peer.answer(await peer.next(), "still here")

            assert await session.execute("query-status") == "still here"
        assert session.statistics().events_queued == MAX_QUEUED_EVENTS
        with pytest.raises(ResyncRequiredError) as gap:
            await anext(session.events)
        assert gap.value.missed == extra
        await peer.stream.aclose()
        heard = [event.data["n"] async for event in session.events]
        assert heard == list(range(extra, MAX_QUEUED_EVENTS + extra))


async def test_cancelling_a_reader_loses_no_event() -> None:
    async with peer_and_session() as (peer, session):
        with trio.CancelScope() as scope:
            scope.cancel()
            await anext(session.events)
        await peer.event("STOP")
        assert (await anext(session.events)).name == "STOP"
