"""The other end of a memory stream: a monitor that does what the test says, step by step."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import trio
import trio.testing

from pyvirt_trio.host.streams import RealStream
from pyvirt_trio.qmp.session import QmpSession, open_session
from tests.unit.qmp.strategies import GREETING, to_bytes

STAMP = {"seconds": 1, "microseconds": 2}


class Peer:
    """Speaks for QEMU on one end of a stream."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self._buffer = b""

    async def send(self, *messages: dict[str, Any]) -> None:
        await self.stream.send_all(to_bytes(messages))

    async def event(self, name: str) -> None:
        await self.send({"event": name, "timestamp": STAMP})

    async def answer(self, request: dict[str, Any], value: object = None) -> None:
        await self.send({"return": {} if value is None else value, "id": request["id"]})

    async def next(self) -> dict[str, Any]:
        """Reads the next command; raises EOFError at the end."""
        while b"\n" not in self._buffer:
            data = await self.stream.receive_some()
            if not data:
                raise EOFError
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        command = json.loads(line)
        assert isinstance(command, dict)
        return command

    async def greet(self) -> None:
        await self.send(GREETING)
        await self.answer(await self.next())


@asynccontextmanager
async def peer_and_session(
    pair: tuple[trio.abc.Stream, trio.abc.Stream] | None = None, **options: Any
) -> AsyncGenerator[tuple[Peer, QmpSession], None]:
    """A session that has just finished its negotiation with a peer in the test's hands."""
    client, server = pair or trio.testing.memory_stream_pair()
    peer = Peer(server)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.greet)
        try:
            async with open_session(client, **options) as session:
                yield peer, session
        finally:
            await trio.aclose_forcefully(server)


class Reluctant(RealStream):
    """A socket that takes at once only so many bytes each time it is asked, and then all."""

    def __init__(self, connected: socket.socket, allowances: Sequence[int]) -> None:
        super().__init__(connected)
        self.allowances = list(allowances)

    def send_nowait(self, data: bytes | memoryview) -> int:
        allowance = self.allowances.pop(0) if self.allowances else len(data)
        return super().send_nowait(data[:allowance])


def prompt_pair(allowances: Sequence[int] = ()) -> tuple[Reluctant, RealStream]:
    """A connection whose client end can send at once."""
    client, server = socket.socketpair()
    for end in (client, server):
        end.setblocking(False)
    return Reluctant(client, allowances), RealStream(server)
