"""A client that asks again when an answer is late, and the race in it: it reads an old answer.

Requests and answers go over one TCP connection, without numbers. When an answer is late the
client asks again; if both answers arrive, the second one waits in the stream and is taken for the
answer to the next request. The cure is to number the requests: see `NumberingClient`.
"""

from __future__ import annotations

import random

import trio

PATIENCE_S = 1.0
"""How long the client waits before it asks again."""

ACCOUNTS = {"anna": 100, "ben": 7}


class Client:
    """Asks for balances, and asks again after `PATIENCE_S`."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._pending = b""
        self._number = 0

    async def balance(self, account: str) -> int:
        """Return what is in ``account``."""
        self._number += 1
        while True:
            await self._stream.send_all(f"{self._number} {account}\n".encode())
            with trio.move_on_after(PATIENCE_S):
                return await self._answer()

    async def _answer(self) -> int:
        _number, amount = await self._next_line()
        return amount

    async def _next_line(self) -> tuple[int, int]:
        while b"\n" not in self._pending:
            chunk = await self._stream.receive_some()
            if not chunk:
                raise EOFError("the server hung up")
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        number, amount = line.split()
        return int(number), int(amount)


class NumberingClient(Client):
    """The same, but an answer to an earlier request is dropped."""

    async def _answer(self) -> int:
        while True:
            number, amount = await self._next_line()
            if number == self._number:
                return amount


async def serve(stream: trio.SocketStream) -> None:
    """Answer each line ``number account`` with ``number balance``; a look-up takes 0.9 s."""
    pending = b""
    try:
        async for chunk in stream:
            *complete, pending = (pending + chunk).split(b"\n")
            for line in complete:
                number, account = line.decode().split()
                await trio.sleep(0.9 + 0.05 * random.random())
                await stream.send_all(f"{number} {ACCOUNTS[account]}\n".encode())
    except trio.BrokenResourceError:
        pass  # the client has left while an answer was under way


async def play(make_client: type[Client]) -> None:
    """Ask for two balances, one after the other."""
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        port = listeners[0].socket.getsockname()[1]
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            client = make_client(stream)
            assert await client.balance("anna") == ACCOUNTS["anna"]
            assert await client.balance("ben") == ACCOUNTS["ben"]
        nursery.cancel_scope.cancel()


async def program() -> None:
    """What is tested: fails when an answer belongs to another request."""
    await play(Client)


async def fixed_program() -> None:
    """The same, cured."""
    await play(NumberingClient)
