"""Small network programs that several tests share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio

from pyvirt_sim.engine import Network, Node, current_network

PORT = 80


def two_nodes() -> tuple[Node, Node, Network]:
    """Return a server, a client and their network."""
    return Node("server"), Node("client"), current_network()


async def listen_on(node: Node) -> trio.SocketListener:
    """Return a listener on ``node``."""
    with node.here():
        (listener,) = await trio.open_tcp_listeners(PORT, host=node.host.addresses[0])
    return listener


async def connect_from(node: Node, name: str = "server") -> trio.SocketStream:
    """Return a stream from ``node`` to port 80 of the machine ``name``."""
    with node.here():
        return await trio.open_tcp_stream(name, PORT)


@asynccontextmanager
async def connection(server: Node, client: Node):
    """Give the client's and the server's end of a connection."""
    async with await listen_on(server) as listener:
        async with await connect_from(client) as here, await listener.accept() as there:
            yield here, there


async def seen(action: Callable[..., Awaitable[Any]], *args: Any) -> Any:
    """Return what a call returns, or the type of its error, with the type of the cause."""
    try:
        return await action(*args)
    except (trio.ClosedResourceError, trio.BrokenResourceError) as error:
        return type(error) if error.__cause__ is None else type(error.__cause__)
    except OSError as error:
        cause: Any = error.__cause__
        return type(cause.exceptions[0]) if isinstance(cause, ExceptionGroup) else type(error)


async def read_all(stream: trio.abc.ReceiveStream) -> bytes:
    """Return everything up to the end of the stream."""
    return b"".join([chunk async for chunk in stream])
