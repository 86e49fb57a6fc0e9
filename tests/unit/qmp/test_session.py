"""A session on a memory stream: who is told what, in which order, and what cancelling leaves."""

from __future__ import annotations

from typing import Any

import outcome
import pytest
import trio
import trio.testing
from trio.testing import wait_all_tasks_blocked

from pyvirt_trio.errors import (
    CommandFailedError,
    MonitorClosedError,
    OutcomeUnknownError,
    PyvirtError,
    RemoteProtocolError,
)
from pyvirt_trio.qmp.limits import CLOSE_GRACE_S, MAX_IN_BAND_REQUESTS
from pyvirt_trio.qmp.messages import Event
from pyvirt_trio.qmp.session import QmpSession, open_session
from tests.unit.qmp.peer import Peer, peer_and_session, prompt_pair
from tests.unit.qmp.strategies import GREETING


class Call:
    """A task that executes a command, and what became of it."""

    def __init__(self, nursery: trio.Nursery, session: QmpSession, command: str, **options: Any):
        self.scope = trio.CancelScope()
        self.outcome: object = "running"
        nursery.start_soon(self._run, session, command, options)

    async def _run(self, session: QmpSession, command: str, options: dict[str, Any]) -> None:
        with self.scope:
            try:
                self.outcome = await session.execute(command, **options)
            except PyvirtError as error:
                self.outcome = error
        if self.scope.cancelled_caught:
            self.outcome = "cancelled"


class Batch:
    """A task that executes several commands at once, and what became of them."""

    def __init__(self, nursery: trio.Nursery, session: QmpSession, *commands: str):
        self.scope = trio.CancelScope()
        self.outcomes: list[outcome.Outcome[Any]] = []
        nursery.start_soon(self._run, session, commands)

    async def _run(self, session: QmpSession, commands: tuple[str, ...]) -> None:
        with self.scope:
            self.outcomes = await session.execute_each([(name, {}) for name in commands])


async def test_the_session_knows_whom_it_speaks_to() -> None:
    async with peer_and_session() as (_, session):
        assert session.greeting.version == (7, 2, 22)
        assert session.is_oob_enabled
        assert "ready" in repr(session)


async def test_a_reply_is_the_value_of_the_call(nursery: trio.Nursery) -> None:
    async with peer_and_session() as (peer, session):
        call = Call(nursery, session, "qom-get", arguments={"path": "/machine", "property": "type"})
        request = await peer.next()
        assert request["execute"] == "qom-get"
        assert request["arguments"] == {"path": "/machine", "property": "type"}
        await peer.answer(request, "none-machine")
        await wait_all_tasks_blocked()
        assert call.outcome == "none-machine"


async def test_an_error_names_command_class_and_description(nursery: trio.Nursery) -> None:
    async with peer_and_session() as (peer, session):
        call = Call(nursery, session, "device_del", arguments={"id": "x"})
        request = await peer.next()
        error = {"class": "DeviceNotFound", "desc": "Device 'x' not found"}
        await peer.send({"error": error, "id": request["id"]})
        await wait_all_tasks_blocked()
        assert isinstance(call.outcome, CommandFailedError)
        assert call.outcome.command == "device_del"
        assert call.outcome.error_class == "DeviceNotFound"
        assert call.outcome.description == "Device 'x' not found"
        assert session.statistics().commands_in_flight == 0


async def test_the_observer_sees_an_event_before_a_later_reply_is_given() -> None:
    seen: list[str] = []
    async with peer_and_session(on_event=lambda event: seen.append(event.name)) as (peer, session):

        async def answer() -> None:
            request = await peer.next()
            await peer.event("STOP")
            await peer.event("RESUME")
            await peer.answer(request)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer)
            await session.execute("stop")
            assert seen == ["STOP", "RESUME"]


async def test_events_are_refused_where_an_observer_gets_them() -> None:
    async with peer_and_session(on_event=lambda event: None) as (_, session):
        with pytest.raises(RuntimeError, match="observer"):
            _ = session.events


async def test_a_failing_observer_ends_the_session_loudly(nursery: trio.Nursery) -> None:
    calls: list[Call] = []

    def fail(event: Event) -> None:
        raise LookupError(event.name)

    with pytest.RaisesGroup(pytest.RaisesGroup(LookupError)):
        async with peer_and_session(on_event=fail) as (peer, session):
            calls.append(Call(nursery, session, "stop"))
            await peer.next()
            await peer.event("STOP")
            await trio.sleep_forever()
    await wait_all_tasks_blocked()
    assert isinstance(calls[0].outcome, OutcomeUnknownError)


async def test_an_error_of_the_block_is_not_wrapped() -> None:
    client, server = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Peer(server).greet)
        with pytest.raises(LookupError):
            async with open_session(client):
                raise LookupError


async def test_several_commands_are_sent_before_the_first_is_answered(
    nursery: trio.Nursery,
) -> None:
    async with peer_and_session() as (peer, session):
        batch = Batch(nursery, session, "first", "second", "third")
        requests = [await peer.next() for _ in range(3)]
        assert [request["execute"] for request in requests] == ["first", "second", "third"]
        await peer.answer(requests[0], 1)
        refusal = {"class": "GenericError", "desc": "no"}
        await peer.send({"error": refusal, "id": requests[1]["id"]})
        await wait_all_tasks_blocked()
        assert not batch.outcomes
        await peer.answer(requests[2], 3)
        await wait_all_tasks_blocked()
        first, second, third = batch.outcomes
        assert (first, third) == (outcome.Value(1), outcome.Value(3))
        with pytest.raises(CommandFailedError, match="no"):
            second.unwrap()
        assert await session.execute_each([]) == []


async def test_the_end_tells_each_of_several_commands_whether_it_was_sent(
    nursery: trio.Nursery,
) -> None:
    async with peer_and_session() as (peer, session):
        batch = Batch(nursery, session, *["query-status"] * (MAX_IN_BAND_REQUESTS + 1))
        requests = [await peer.next() for _ in range(MAX_IN_BAND_REQUESTS)]
        await wait_all_tasks_blocked()
        assert session.statistics().commands_waiting == 1
        await peer.send({"return": {}, "id": requests[0]["id"]})
        assert (await peer.next())["execute"] == "query-status"
        await trio.aclose_forcefully(peer.stream)
        await wait_all_tasks_blocked()
        lost = [type(one.error) for one in batch.outcomes if isinstance(one, outcome.Error)]
        assert [OutcomeUnknownError] * MAX_IN_BAND_REQUESTS == lost
        with pytest.raises(MonitorClosedError, match="a and b was not sent"):
            await session.execute_each([("a", {}), ("b", {})])


# ------------------------------------------------------------------------------- cancellation


async def test_of_several_cancelled_commands_those_that_wait_are_forgotten(
    nursery: trio.Nursery,
) -> None:
    async with peer_and_session() as (peer, session):
        batch = Batch(nursery, session, *["query-status"] * (MAX_IN_BAND_REQUESTS + 2))
        requests = [await peer.next() for _ in range(MAX_IN_BAND_REQUESTS)]
        await peer.answer(requests[0])
        requests.append(await peer.next())
        await wait_all_tasks_blocked()
        batch.scope.cancel()
        await wait_all_tasks_blocked()
        assert batch.scope.cancelled_caught
        assert session.statistics().commands_waiting == 0
        call = Call(nursery, session, "query-version")
        for late in requests[1:]:
            await peer.answer(late, "late")
        request = await peer.next()
        assert request["execute"] == "query-version"
        await peer.answer(request, "8")
        await wait_all_tasks_blocked()
        assert call.outcome == "8"


async def test_a_command_cancelled_before_it_is_sent_is_forgotten(nursery: trio.Nursery) -> None:
    async with peer_and_session() as (peer, session):
        with trio.CancelScope() as scope:
            scope.cancel()
            await session.execute("quit")
        assert scope.cancelled_caught
        call = Call(nursery, session, "query-status")
        assert (await peer.next())["execute"] == "query-status"
        assert session.statistics().commands_in_flight == 1
        call.scope.cancel()


async def test_a_late_answer_is_dropped_and_given_to_nobody_else(nursery: trio.Nursery) -> None:
    async with peer_and_session() as (peer, session):
        first = Call(nursery, session, "query-status")
        late = await peer.next()
        first.scope.cancel()
        await wait_all_tasks_blocked()
        assert first.outcome == "cancelled"
        second = Call(nursery, session, "query-version")
        request = await peer.next()
        assert session.statistics().commands_in_flight == 2
        await peer.answer(late, "late")
        await wait_all_tasks_blocked()
        assert second.outcome != "late"
        await peer.answer(request, "mine")
        await wait_all_tasks_blocked()
        assert second.outcome == "mine"
        assert session.statistics().commands_in_flight == 0
        assert not session._waiting


async def test_cancelling_in_the_middle_of_a_line_leaves_the_line_whole(
    nursery: trio.Nursery,
) -> None:
    pair = trio.testing.lockstep_stream_pair()
    async with peer_and_session(pair) as (peer, session):
        first = Call(nursery, session, "query-status")
        await wait_all_tasks_blocked()
        peer._buffer = bytes(await peer.stream.receive_some(3))
        first.scope.cancel()
        await wait_all_tasks_blocked()
        assert first.outcome == "cancelled"
        second = Call(nursery, session, "query-version")
        await peer.answer(await peer.next(), "late")
        await peer.answer(await peer.next(), "mine")
        await wait_all_tasks_blocked()
        assert second.outcome == "mine"


async def test_cancelling_does_not_wait_for_a_peer_that_does_not_read(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with peer_and_session(trio.testing.lockstep_stream_pair()) as (_, session):
        with trio.move_on_after(5):
            await session.execute("query-status")
        assert trio.current_time() == 5


# ------------------------------------------------------------------------------------- bounds


async def test_qemu_is_given_at_most_eight_in_band_commands(nursery: trio.Nursery) -> None:
    async with peer_and_session() as (peer, session):
        calls = [
            Call(nursery, session, f"x-{number:02}") for number in range(MAX_IN_BAND_REQUESTS + 3)
        ]
        await wait_all_tasks_blocked()
        assert session.statistics().commands_in_flight == MAX_IN_BAND_REQUESTS
        assert session.statistics().commands_waiting == 3
        waiting = [call for call in calls if call.outcome == "running"]
        assert len(waiting) == len(calls)
        requests = [await peer.next() for _ in range(MAX_IN_BAND_REQUESTS)]
        await peer.answer(requests[0])
        await peer.next()
        await wait_all_tasks_blocked()
        assert session.statistics().commands_waiting == 2


async def test_a_cancelled_command_keeps_its_place_until_its_answer(nursery: trio.Nursery) -> None:
    async with peer_and_session() as (peer, session):
        calls = [Call(nursery, session, "x") for _ in range(MAX_IN_BAND_REQUESTS)]
        requests = [await peer.next() for _ in calls]
        for call in calls:
            call.scope.cancel()
        await wait_all_tasks_blocked()
        ninth = Call(nursery, session, "query-status")
        await wait_all_tasks_blocked()
        assert session.statistics().commands_waiting == 1
        await peer.answer(requests[3])
        request = await peer.next()
        await peer.answer(request, 9)
        await wait_all_tasks_blocked()
        assert ninth.outcome == 9


async def test_a_command_cancelled_in_the_line_is_never_sent(nursery: trio.Nursery) -> None:
    async with peer_and_session() as (peer, session):
        for _ in range(MAX_IN_BAND_REQUESTS):
            Call(nursery, session, "x")
        requests = [await peer.next() for _ in range(MAX_IN_BAND_REQUESTS)]
        doomed = Call(nursery, session, "quit")
        await wait_all_tasks_blocked()
        last = Call(nursery, session, "query-status")
        await wait_all_tasks_blocked()
        doomed.scope.cancel()
        await wait_all_tasks_blocked()
        await peer.answer(requests[0])
        assert (await peer.next())["execute"] == "query-status"
        assert last.outcome == "running"


async def test_out_of_band_passes_a_full_line(nursery: trio.Nursery) -> None:
    async with peer_and_session() as (peer, session):
        for _ in range(MAX_IN_BAND_REQUESTS + 2):
            Call(nursery, session, "x")
        for _ in range(MAX_IN_BAND_REQUESTS):
            await peer.next()
        call = Call(nursery, session, "migrate-pause", oob=True)
        request = await peer.next()
        assert request["exec-oob"] == "migrate-pause"
        await peer.answer(request, "now")
        await wait_all_tasks_blocked()
        assert call.outcome == "now"


# ---------------------------------------------------------------------------------------- end


async def test_at_the_end_what_was_sent_is_unknown_and_what_was_not_is_refused(
    nursery: trio.Nursery,
) -> None:
    async with peer_and_session(name="vm1") as (peer, session):
        sent = [Call(nursery, session, "x-sent") for _ in range(MAX_IN_BAND_REQUESTS)]
        await wait_all_tasks_blocked()
        queued = Call(nursery, session, "x-queued")
        await wait_all_tasks_blocked()
        await peer.stream.aclose()
        await wait_all_tasks_blocked()
        for call in sent:
            assert isinstance(call.outcome, OutcomeUnknownError)
            assert "x-sent" in str(call.outcome)
            assert isinstance(call.outcome.__cause__, MonitorClosedError)
        assert isinstance(queued.outcome, MonitorClosedError)
        with pytest.raises(MonitorClosedError, match="vm1: quit was not sent"):
            await session.execute("quit")
        assert isinstance(await session.wait_ended(), MonitorClosedError)


@pytest.mark.parametrize("garbage", [b"\xff\n", b'{"return":{},"id":999}\n', b"{}\n"])
async def test_garbage_ends_the_session_for_everybody(garbage: bytes) -> None:
    async with peer_and_session() as (peer, session), trio.open_nursery() as nursery:
        call = Call(nursery, session, "x")
        await peer.next()
        await peer.stream.send_all(garbage)
        await wait_all_tasks_blocked()
        assert isinstance(call.outcome, OutcomeUnknownError)
        assert isinstance(call.outcome.__cause__, RemoteProtocolError)
        assert isinstance(await session.wait_ended(), RemoteProtocolError)
        with pytest.raises(MonitorClosedError):
            await session.execute("x")
        with pytest.raises(EOFError):  # closed, so that QEMU does not wait for a reader
            await peer.next()


async def test_what_stood_before_the_garbage_still_counts(nursery: trio.Nursery) -> None:
    seen: list[str] = []
    async with peer_and_session(on_event=lambda event: seen.append(event.name)) as (peer, session):
        call = Call(nursery, session, "x")
        request = await peer.next()
        await peer.stream.send_all(
            b'{"event":"STOP","timestamp":{"seconds":1,"microseconds":1}}\n'
            b'{"return":5,"id":%d}\ngarbage\n' % request["id"]
        )
        await wait_all_tasks_blocked()
        assert seen == ["STOP"]
        assert call.outcome == 5


async def test_a_peer_that_stops_reading_may_still_answer(nursery: trio.Nursery) -> None:
    client, server = trio.testing.memory_stream_pair()
    async with peer_and_session((client, server)) as (peer, session):
        first = Call(nursery, session, "quit")
        request = await peer.next()
        assert isinstance(server, trio.StapledStream)
        await server.receive_stream.aclose()
        second = Call(nursery, session, "query-status")
        await wait_all_tasks_blocked()
        assert isinstance(second.outcome, OutcomeUnknownError)
        third = Call(nursery, session, "query-status")
        await wait_all_tasks_blocked()
        assert isinstance(third.outcome, MonitorClosedError)
        await peer.answer(request, "bye")
        await wait_all_tasks_blocked()
        assert first.outcome == "bye"


async def test_leaving_the_block_answers_those_who_still_wait(nursery: trio.Nursery) -> None:
    async with peer_and_session() as (peer, session):
        call = Call(nursery, session, "x")
        await peer.next()
    await wait_all_tasks_blocked()
    assert isinstance(call.outcome, OutcomeUnknownError)
    with pytest.raises(MonitorClosedError):
        await session.execute("x")
    assert isinstance(await session.wait_ended(), MonitorClosedError)


# ------------------------------------------------------------------------------------- opening


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"", MonitorClosedError),
        (b'{"QMP"', RemoteProtocolError),
        (b"SSH-2.0-OpenSSH_9.2\r\n", RemoteProtocolError),
    ],
)
async def test_a_peer_that_does_not_greet_is_refused(said: bytes, error: type[Exception]) -> None:
    client, server = trio.testing.memory_stream_pair()
    await server.send_all(said)
    assert isinstance(server, trio.StapledStream)
    await server.send_stream.aclose()
    with pytest.raises(error):
        async with open_session(client):
            pytest.fail("there was no greeting")


async def test_a_close_during_the_negotiation_is_a_closed_monitor() -> None:
    client, server = trio.testing.memory_stream_pair()

    async def greet_and_go() -> None:
        peer = Peer(server)
        await peer.send(GREETING)
        await peer.next()
        await server.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(greet_and_go)
        with pytest.raises(MonitorClosedError):
            async with open_session(client):
                pytest.fail("there was no negotiation")


async def test_a_refused_negotiation_is_an_error_of_the_peer() -> None:
    client, server = trio.testing.memory_stream_pair()

    async def refuse() -> None:
        peer = Peer(server)
        await peer.send(GREETING)
        request = await peer.next()
        await peer.send({"error": {"class": "GenericError", "desc": "no"}, "id": request["id"]})

    async with trio.open_nursery() as nursery:
        nursery.start_soon(refuse)
        with pytest.raises(CommandFailedError, match="qmp_capabilities"):
            async with open_session(client):
                pytest.fail("there was no negotiation")


async def test_an_event_between_greeting_and_negotiation_is_not_the_answer() -> None:
    client, server = trio.testing.memory_stream_pair()
    seen: list[str] = []

    async def greet() -> None:
        peer = Peer(server)
        await peer.event("EARLY")
        await peer.send(GREETING)
        request = await peer.next()
        await peer.event("STOP")
        await peer.answer(request)
        await peer.answer(await peer.next(), "running")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(greet)
        async with open_session(client, on_event=lambda event: seen.append(event.name)) as session:
            assert await session.execute("query-status") == "running"
    assert seen == ["EARLY", "STOP"]


async def test_a_busy_monitor_never_greets_and_the_caller_decides(
    autojump_clock: trio.testing.MockClock,
) -> None:
    client, _server = trio.testing.memory_stream_pair()
    with trio.move_on_after(3) as scope:
        async with open_session(client):
            pytest.fail("there was no greeting")
    assert scope.cancelled_caught
    assert trio.current_time() == 3


class SlowToClose(trio.abc.SendStream):
    """Says goodbye politely, and waits for an answer that does not come."""

    def __init__(self, stream: trio.abc.SendStream) -> None:
        self.stream = stream

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self.stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self.stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            await self.stream.aclose()


class WriterSteps(trio.abc.Instrument):
    """Counts how often a session's writer gets a turn."""

    def __init__(self) -> None:
        self.count = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.count += task.name.endswith(": writer")


@pytest.mark.parametrize(
    ("allowances", "is_asleep"), [([], True), ([0], False), ([17], False), ([1000], True)]
)
async def test_the_writer_sends_what_a_prompt_stream_does_not_take_at_once(
    allowances: list[int], is_asleep: bool, nursery: trio.Nursery
) -> None:
    pair, steps = prompt_pair(), WriterSteps()
    async with peer_and_session(pair) as (peer, session):
        await wait_all_tasks_blocked()
        pair[0].allowances = allowances
        trio.lowlevel.add_instrument(steps)
        calls = [Call(nursery, session, "stop"), Call(nursery, session, "cont")]
        requests = [await peer.next(), await peer.next()]
        assert {request["execute"] for request in requests} == {"stop", "cont"}
        for request in requests:
            await peer.answer(request, 7)
        await wait_all_tasks_blocked()
        trio.lowlevel.remove_instrument(steps)
    assert [call.outcome for call in calls] == [7, 7]
    assert (steps.count == 0) is is_asleep


async def test_a_prompt_stream_that_is_broken_loses_the_command_it_did_not_take(
    nursery: trio.Nursery,
) -> None:
    async with peer_and_session(prompt_pair()) as (peer, session):
        await wait_all_tasks_blocked()
        await trio.aclose_forcefully(peer.stream)
        call = Call(nursery, session, "stop")
        await wait_all_tasks_blocked()
    assert isinstance(call.outcome, MonitorClosedError | OutcomeUnknownError)


async def test_closing_is_bounded(autojump_clock: trio.testing.MockClock) -> None:
    client, server = trio.testing.memory_stream_pair()
    slow = trio.StapledStream(SlowToClose(client.send_stream), client.receive_stream)
    async with peer_and_session((slow, server)):
        pass
    assert trio.current_time() == CLOSE_GRACE_S


async def test_statistics_count_bytes(nursery: trio.Nursery) -> None:
    async with peer_and_session() as (peer, session):
        before = session.statistics()
        call = Call(nursery, session, "x")
        request = await peer.next()
        await peer.answer(request)
        await wait_all_tasks_blocked()
        after = session.statistics()
        assert call.outcome == {}
        assert after.bytes_sent - before.bytes_sent == len(b'{"execute":"x","id":2}\n')
        assert after.bytes_received - before.bytes_received == len(b'{"return": {}, "id": 2}\r\n')
