"""`RealStream` against what Trio asks of every stream, on sockets of this machine."""

from __future__ import annotations

import socket

import pytest
import trio
from trio.testing import check_two_way_stream

from pyvirt_trio.host.streams import RealStream

CHUNK = bytes(1 << 16)


async def make_pair() -> tuple[RealStream, RealStream]:
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    return RealStream(ours), RealStream(theirs)


async def make_full_pair() -> tuple[RealStream, RealStream]:
    ours, theirs = await make_pair()
    for end in (ours, theirs):
        while end.send_nowait(CHUNK):
            pass
    return ours, theirs


async def test_it_is_a_stream_as_trio_means_it() -> None:
    await check_two_way_stream(make_pair, make_full_pair)


async def test_what_is_sent_at_once_is_there_before_any_other_task_runs() -> None:
    ours, theirs = await make_pair()
    async with ours, theirs:
        assert ours.send_nowait(b"hello") == 5
        assert await theirs.receive_some() == b"hello"


async def test_a_full_socket_takes_nothing_at_once_and_the_rest_when_there_is_room() -> None:
    ours, theirs = await make_full_pair()
    async with ours, theirs:
        assert ours.send_nowait(b"more") == 0
        got = bytearray()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ours.send_all, b"more")
            while not got.endswith(b"more"):
                got += await theirs.receive_some()


async def test_sending_at_once_tells_a_closed_stream_from_a_broken_one() -> None:
    ours, theirs = await make_pair()
    await theirs.aclose()
    with pytest.raises(trio.BrokenResourceError):
        ours.send_nowait(b"x")
    await ours.aclose()
    with pytest.raises(trio.ClosedResourceError):
        ours.send_nowait(b"x")
