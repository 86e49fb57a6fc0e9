"""One connection of one client: requests in order, or a stream of events."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import trio

from pyvirt_trio.daemon.events import stream_events
from pyvirt_trio.daemon.methods import METHODS
from pyvirt_trio.driver.hypervisor import Hypervisor
from pyvirt_trio.driver.life import Life
from pyvirt_trio.errors import NotFoundError, PyvirtError, RemoteProtocolError
from pyvirt_trio.rpc.jsonrpc import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    Lines,
    decode,
    encode,
    error_to_json,
)

STARTS = ("start", "create")
"""The methods that let a domain run and return its name."""

MAX_PENDING_REQUESTS = 16
"""Requests a client may have sent ahead; the next is not read before one is answered."""


async def serve_client(hypervisor: Hypervisor, stream: trio.abc.Stream) -> None:
    """Answer one client until it hangs up.

    Requests are answered in order, one at a time; ``subscribe`` turns the connection into a stream
    of events. A client that hangs up cancels what it was waiting for, with the consequences that
    the docstring of the call states. What it has started with ``autodestroy`` is destroyed then.
    """
    send, receive = trio.open_memory_channel[dict[str, Any]](MAX_PENDING_REQUESTS)
    owned: list[Life] = []
    async with stream, _destroying(owned), trio.open_nursery() as nursery:
        nursery.start_soon(_answer_all, hypervisor, stream, receive, owned)
        try:
            await _read_requests(stream, send)
        except (trio.BrokenResourceError, RemoteProtocolError):
            pass  # a client that breaks off or talks nonsense is no longer a client
        nursery.cancel_scope.cancel()


async def _read_requests(
    stream: trio.abc.Stream, send: trio.MemorySendChannel[dict[str, Any]]
) -> None:
    lines = Lines()
    while data := await stream.receive_some(1 << 16):
        for line in lines.feed(bytes(data)):
            await send.send(decode(line))


@asynccontextmanager
async def _destroying(owned: list[Life]) -> AsyncGenerator[None]:
    """Destroy at the end those lives that have not ended."""
    try:
        yield
    finally:
        with trio.CancelScope(shield=True):
            for life in owned:
                if not life.ended.is_set():
                    await life.destroy()


def _own(hypervisor: Hypervisor, request: dict[str, Any], name: str, owned: list[Life]) -> None:
    """Remember what is to end with the connection, before anything else can happen to it."""
    owned[:] = [life for life in owned if not life.ended.is_set()]
    if request.get("params", {}).get("autodestroy"):
        found = [domain for domain in hypervisor.domains() if domain.name == name]
        life = found[0].current_life if found else None  # it may be gone again
        if life is not None:
            life.note(is_autodestroyed=True)
            owned.append(life)


async def _answer_all(
    hypervisor: Hypervisor,
    stream: trio.abc.Stream,
    requests: trio.MemoryReceiveChannel[dict[str, Any]],
    owned: list[Life],
) -> None:
    try:
        async for request in requests:
            if request.get("method") == "subscribe":
                await stream_events(hypervisor, stream, request)
            else:
                answer = await _answer(hypervisor, request)
                if request.get("method") in STARTS and "result" in answer:
                    _own(hypervisor, request, answer["result"], owned)
                await stream.send_all(encode({"id": request.get("id"), **answer}))
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass  # the reader ends for the same reason and ends the connection


async def _answer(hypervisor: Hypervisor, request: dict[str, Any]) -> dict[str, Any]:
    method = METHODS.get(str(request.get("method")))
    if method is None:
        message = f"there is no method {request.get('method')!r}"
        return {"error": {"code": METHOD_NOT_FOUND, "message": message}}
    params = dict(request.get("params", {}))
    if "domain" in params:
        params["domain"] = _named(hypervisor, params["domain"])
    try:
        inspect.signature(method).bind(hypervisor, **params)
    except TypeError as error:
        return {"error": {"code": INVALID_PARAMS, "message": str(error)}}
    try:
        return {"result": await method(hypervisor, **params)}
    except PyvirtError as error:
        return {"error": error_to_json(error)}


def _named(hypervisor: Hypervisor, text: object) -> object:
    """The name of the domain that is meant: by its name, its UUID, or its number while it runs."""
    try:
        hypervisor.domain(str(text))
    except NotFoundError:
        for domain in hypervisor.domains():
            if text in (str(domain.uuid), str(domain.view.id)):
                return domain.name
    return text
