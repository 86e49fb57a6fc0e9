"""What a QMP peer may say, as Hypothesis strategies, and a peer that is not our own code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from pyvirt_trio.qmp.wire import Connection

GREETING: dict[str, Any] = {
    "QMP": {
        "version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian"},
        "capabilities": ["oob"],
    }
}
NEGOTIATED: dict[str, Any] = {"return": {}, "id": 1}

# Few characters, but one of each sort: Hypothesis takes a second to learn all of Unicode.
texts = st.text('aZ0 \n\x00"\\{}[]\x7fé\u2028\U0001f600', max_size=8)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
event_names = st.sampled_from(["STOP", "RESUME", "DEVICE_DELETED", "RESET"])


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    event: dict[str, Any] = {
        "event": draw(event_names),
        "timestamp": {"seconds": draw(st.integers(-1, 2**40)), "microseconds": 0},
    }
    if draw(st.booleans()):
        event["data"] = draw(st.dictionaries(texts, json_values, max_size=2))
    return event


@st.composite
def conversations(draw: st.DrawFn, requests: int = 4) -> list[dict[str, Any]]:
    """A valid stream: greeting, negotiation, answers to ids 2 and up, events anywhere."""
    messages = [GREETING, NEGOTIATED]
    for request_id in range(2, 2 + draw(st.integers(0, requests))):
        answer = draw(
            json_values.map(lambda value: {"return": value})
            | st.just({"error": {"class": "GenericError", "desc": "no"}})
        )
        messages.append({**answer, "id": request_id})
    for event in draw(st.lists(events(), max_size=3)):
        messages.insert(draw(st.integers(0, len(messages))), event)
    return messages


def to_bytes(messages: Sequence[dict[str, Any]]) -> bytes:
    """Writes messages as QEMU does: ASCII, one per line, CR LF."""
    return b"".join(json.dumps(message).encode() + b"\r\n" for message in messages)


@st.composite
def chunkings(draw: st.DrawFn, data: bytes) -> list[bytes]:
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=8)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def ready_connection(in_flight: int = 0) -> Connection:
    """A connection after negotiation (id 1), with requests 2 and up in flight."""
    connection = Connection()
    connection.receive_data(to_bytes([GREETING]))
    connection.begin(connection.negotiate())
    connection.receive_data(to_bytes([NEGOTIATED]))
    for _ in range(in_flight):
        connection.begin(connection.encode("query-status"))
    return connection
