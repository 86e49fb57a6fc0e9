"""A WebSocket is a stream of bytes in both directions, and carries QMP."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from trio_websocket import WebSocketConnection, wrap_client_stream, wrap_server_stream

from pyvirt_trio.qmp import websocket
from pyvirt_trio.qmp.limits import CLOSE_GRACE_S
from pyvirt_trio.qmp.session import open_session
from pyvirt_trio.qmp.websocket import MAX_SEND_BYTES, WebSocketStream
from tests.unit.qmp.peer import Peer

Pair = tuple[WebSocketConnection, WebSocketConnection]


async def connect(nursery: trio.Nursery) -> Pair:
    client: Any  # trio-websocket's types name sockets; its code takes any stream
    client, server = trio.testing.memory_stream_pair()
    connections: dict[str, WebSocketConnection] = {}

    async def accept() -> None:
        request = await wrap_server_stream(nursery, server)
        connections["server"] = await request.accept()

    async with trio.open_nursery() as opening:
        opening.start_soon(accept)
        connections["client"] = await wrap_client_stream(nursery, client, "localhost", "/")
    return connections["client"], connections["server"]


@pytest.fixture
async def pair(nursery: trio.Nursery) -> Pair:
    return await connect(nursery)


async def test_bytes_go_both_ways_at_once(pair: Pair) -> None:
    data = bytes(range(256)) * 1024

    async def carry(sender: WebSocketStream, receiver: WebSocketStream) -> None:
        received = bytearray()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sender.send_all, data)
            while len(received) < len(data):
                received += await receiver.receive_some(1000)
        assert received == data

    one, other = WebSocketStream(pair[0]), WebSocketStream(pair[1])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(carry, one, other)
        nursery.start_soon(carry, other, one)


async def test_one_task_at_a_time_receives(pair: Pair, nursery: trio.Nursery) -> None:
    stream = WebSocketStream(pair[0])
    nursery.start_soon(stream.receive_some)
    await trio.testing.wait_all_tasks_blocked()
    with pytest.raises(trio.BusyResourceError):
        await stream.receive_some()


async def test_cancelling_a_receive_loses_nothing(pair: Pair) -> None:
    stream = WebSocketStream(pair[0])
    with trio.CancelScope() as scope:
        scope.cancel()
        await stream.receive_some()
    await pair[1].send_message(b"still here")
    assert await stream.receive_some() == b"still here"


async def test_a_closed_side_says_so_and_closing_twice_is_harmless(pair: Pair) -> None:
    stream = WebSocketStream(pair[0])
    await stream.aclose()
    await stream.aclose()
    with pytest.raises(trio.ClosedResourceError):
        await stream.receive_some()
    with pytest.raises(trio.ClosedResourceError):
        await stream.send_all(b"x")


async def test_closing_does_not_wait_for_a_peer_that_does_not_read(
    pair: Pair, autojump_clock: trio.testing.MockClock
) -> None:
    stream = WebSocketStream(pair[0])
    for _ in range(5):
        await stream.send_all(b"nobody reads this")
    before = trio.current_time()
    await stream.aclose()
    assert trio.current_time() - before <= CLOSE_GRACE_S


async def test_messages_are_chunks_of_one_stream(pair: Pair) -> None:
    stream = WebSocketStream(pair[0])
    for message in (b"one", b"", "two\u00e9"):
        await pair[1].send_message(message)
    assert await stream.receive_some(2) == b"on"
    assert await stream.receive_some() == b"e"
    assert await stream.receive_some() == "two\u00e9".encode()


async def test_long_data_is_cut_into_messages(pair: Pair) -> None:
    data = b"x" * (2 * MAX_SEND_BYTES + 5)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(WebSocketStream(pair[0]).send_all, data)
        lengths = [len(await pair[1].get_message()) for _ in range(3)]
    assert lengths == [MAX_SEND_BYTES, MAX_SEND_BYTES, 5]


async def test_a_message_over_the_bound_breaks_the_stream(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "MAX_MESSAGE_BYTES", 10)
    await pair[1].send_message(b"x" * 11)
    with pytest.raises(trio.BrokenResourceError):
        await WebSocketStream(pair[0]).receive_some()


async def test_its_transport_is_closed_even_when_the_peer_closed_first(pair: Pair) -> None:
    transport, _other = trio.testing.memory_stream_pair()
    stream = WebSocketStream(pair[0], transport)
    await pair[1].aclose()
    assert await stream.receive_some() == b""
    await stream.aclose()
    with pytest.raises(trio.ClosedResourceError):
        await transport.send_all(b"x")


@pytest.mark.parametrize("code", [1000, 1011])
async def test_only_a_normal_close_is_an_end(pair: Pair, code: int) -> None:
    stream = WebSocketStream(pair[0])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pair[1].aclose, code)
        if code == 1000:
            assert await stream.receive_some() == b""
        else:
            with pytest.raises(trio.BrokenResourceError):
                await stream.receive_some()


async def test_qmp_goes_over_it(pair: Pair, nursery: trio.Nursery) -> None:
    peer = Peer(WebSocketStream(pair[1]))

    async def serve() -> None:
        await peer.greet()
        await peer.answer(await peer.next(), "x" * (MAX_SEND_BYTES + 1))

    nursery.start_soon(serve)
    async with open_session(WebSocketStream(pair[0])) as session:
        assert await session.execute("query-status") == "x" * (MAX_SEND_BYTES + 1)
