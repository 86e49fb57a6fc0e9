"""A connection as a stream of events: the snapshot, what follows it, and at most one gap.

A client asks with ``subscribe``, and may ask for what it has not seen since a cursor. When it was
too slow, or the cursor is too old, it is told which events are lost, and the connection takes
requests again: the client asks anew as soon as it is ready for a fresh snapshot. Nothing is sent to
a client that does not read, and nothing is kept for it beyond one batch.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

import trio

from pyvirt_trio.driver.hypervisor import Hypervisor, HypervisorView
from pyvirt_trio.driver.journal import Subscription
from pyvirt_trio.errors import DefinitionError, ErrorCode, PyvirtError, ResyncRequiredError
from pyvirt_trio.models.event_filter import EventFilter, types_named
from pyvirt_trio.models.events import Cursor, Record
from pyvirt_trio.rpc.jsonrpc import encode, error_to_json, record_to_json

EVENTS_PER_SEND = 256
"""Events written at once, some 60 kB: enough to make one system call cheap against them."""

LINES_KEPT = 1024
"""Events whose text is kept for the next client, some 250 kB: they are told to all within moments,
and writing them as JSON costs more than sending them."""


async def stream_events(
    hypervisor: Hypervisor, stream: trio.abc.Stream, request: dict[str, Any]
) -> None:
    """Answer ``subscribe`` and send the events, until one is lost.

    Args:
        hypervisor: Whose events.
        stream: The client.
        request: ``params`` may have ``domains`` and ``events``, lists of names, and ``after``, a
            cursor. The result has ``cursor`` and, unless it goes on from ``after``, a snapshot;
            ``gap`` says what is lost behind a cursor that is too old.
    """
    try:
        answer, events = _subscribe(hypervisor, request.get("params") or {})
    except PyvirtError as error:
        failure = {"id": request.get("id"), "error": error_to_json(error)}
        await stream.send_all(encode(failure))
        return
    await stream.send_all(encode({"id": request.get("id"), "result": answer}))
    while True:
        try:
            records = await events.receive_batch(EVENTS_PER_SEND)
        except ResyncRequiredError as gap:
            await stream.send_all(encode({"method": "gap", "params": _gap(gap)}))
            return
        await stream.send_all(b"".join([event_line(record) for record in records]))


@lru_cache(maxsize=LINES_KEPT)
def event_line(record: Record) -> bytes:
    """One event as it is sent to every client."""
    return encode({"method": "event", "params": record_to_json(record)})


def _subscribe(
    hypervisor: Hypervisor, params: dict[str, Any]
) -> tuple[dict[str, Any], Subscription]:
    unknown = sorted(set(params) - {"domains", "events", "after"})
    if unknown:
        raise DefinitionError(f"subscribe has no {unknown}", code=ErrorCode.INVALID_ARG)
    domains, events = _names(params, "domains"), _names(params, "events")
    wanted = EventFilter(
        domains=None if domains is None else frozenset(domains),
        types=None if events is None else types_named(events),
    )
    after = params.get("after")
    lost: dict[str, Any] = {}
    if after is not None:
        cursor = Cursor.parse(str(after))
        try:
            return {"cursor": str(cursor)}, hypervisor.resume(cursor, wanted)
        except ResyncRequiredError as gap:
            lost = {"gap": _gap(gap)}
    view, subscription = hypervisor.subscribe(wanted)
    return {**_snapshot(view), "cursor": str(subscription.cursor), **lost}, subscription


def _snapshot(view: HypervisorView) -> dict[str, Any]:
    return {
        "sequence": view.sequence,
        "domains": [
            {
                "name": one.name,
                "uuid": str(one.uuid),
                "state": one.status.state.name.lower(),
                "reason": one.status.reason.name.lower(),
                "life": one.life,
            }
            for one in view.domains
        ],
        "active_devices": [one.node_device_name for one in view.active_devices],
        "inactive_devices": [one.node_device_name for one in view.inactive_devices],
    }


def _names(params: dict[str, Any], key: str) -> list[str] | None:
    names: object = params.get(key)
    if names is None:
        return None
    if isinstance(names, list):
        found = [one for one in cast("list[object]", names) if isinstance(one, str)]
        if len(found) == len(cast("list[object]", names)):
            return found
    raise DefinitionError(f"{key} is not a list of names", code=ErrorCode.INVALID_ARG)


def _gap(error: ResyncRequiredError) -> dict[str, Any]:
    return {"missed": error.missed, "first": error.first, "last": error.last}
