"""The protocol without I/O: every cut of a stream reads the same, every offence is one error."""

from __future__ import annotations

import contextlib
import itertools
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pyvirt_trio.errors import RemoteProtocolError
from pyvirt_trio.qmp.limits import (
    MAX_IN_BAND_REQUESTS,
    MAX_LINE_BYTES,
    MAX_NESTING,
    MAX_OOB_REQUESTS,
)
from pyvirt_trio.qmp.lines import decode_line, nesting_exceeds
from pyvirt_trio.qmp.messages import ErrorReply, Event, Greeting, Message, Reply
from pyvirt_trio.qmp.wire import Connection, State
from tests.unit.qmp.strategies import (
    GREETING,
    NEGOTIATED,
    chunkings,
    conversations,
    events,
    json_values,
    ready_connection,
    texts,
    to_bytes,
)

STATUS = {"status": "prelaunch", "running": False}


def drive(chunks: list[bytes], requests: int = 0) -> tuple[list[Message], Connection]:
    """A client that negotiates as soon as it may, and has so many requests ready after that."""
    connection = Connection()
    heard: list[Message] = []
    for chunk in chunks:
        if connection.failure is not None:
            break
        heard += connection.receive_data(chunk)
        if connection.state is State.GREETED:
            connection.begin(connection.negotiate())
            # The peer answers these later; they must be in flight before its bytes are read.
            for request_id in range(2, 2 + requests):
                connection._in_band[request_id] = connection._encode("x", None, is_oob=False)
    return heard, connection


def expected(message: dict[str, Any]) -> Message:
    if "QMP" in message:
        return Greeting((7, 2, 22), "Debian", ("oob",))
    if "event" in message:
        stamp = message["timestamp"]
        return Event(message["event"], message.get("data", {}), stamp["seconds"], 0)
    command = "qmp_capabilities" if message["id"] == 1 else "x"
    if "return" in message:
        return Reply(message["id"], command, message["return"])
    return ErrorReply(message["id"], command, "GenericError", "no")


def greeting_first(data: bytes, chunks: list[bytes]) -> list[bytes]:
    """Cuts once more behind the greeting, where a client has to speak before it can read on."""
    end = data.index(b"\r\n", data.index(b'"QMP"')) + 2
    cuts = [0]
    for chunk in chunks:
        cuts.append(cuts[-1] + len(chunk))
    places = sorted({*cuts, end})
    return [data[a:b] for a, b in itertools.pairwise(places)]


@given(st.data())
def test_every_chunking_of_a_valid_stream_gives_the_same_messages(data: st.DataObject) -> None:
    messages = data.draw(conversations())
    stream = to_bytes(messages)
    heard, connection = drive(greeting_first(stream, data.draw(chunkings(stream))), requests=4)
    assert heard == [expected(message) for message in messages]
    assert connection.failure is None
    assert connection.buffered_bytes == 0


@given(st.data())
def test_every_chunking_of_a_spoiled_stream_gives_the_same_messages_and_offence(
    data: st.DataObject,
) -> None:
    stream = to_bytes([GREETING, NEGOTIATED, *data.draw(st.lists(events(), max_size=2))])
    spoiled = stream + data.draw(
        st.sampled_from([b"{}\n", b"nonsense\n", b'{"return":1,"id":9}\n'])
    )
    spoiled += to_bytes([{"event": "STOP", "timestamp": {"seconds": 1, "microseconds": 1}}])
    whole, first = drive(greeting_first(spoiled, [spoiled]))
    heard, second = drive(greeting_first(spoiled, data.draw(chunkings(spoiled))))
    assert heard == whole
    assert first.failure is not None
    assert str(second.failure) == str(first.failure)


@given(conversations(), st.data())
def test_a_close_at_any_byte_is_an_end_or_an_offence(
    messages: list[dict[str, Any]], data: st.DataObject
) -> None:
    stream = to_bytes(messages)
    part = stream[: data.draw(st.integers(0, len(stream)))]
    chunks = greeting_first(part, [part]) if b"}\r\n" in part and GREETING_LINE in part else [part]
    _, connection = drive(chunks, requests=4)
    if part.endswith(b"\n") or not part:
        connection.receive_eof()
        assert connection.state is State.ENDED
    else:
        with pytest.raises(RemoteProtocolError):
            connection.receive_eof()
        assert connection.state is State.FAILED


GREETING_LINE = to_bytes([GREETING])

one_line_json = json_values.map(lambda value: json.dumps(value).encode() + b"\n")
keys = st.sampled_from(
    ["QMP", "event", "return", "error", "id", "data", "timestamp", "class", "desc"]
)
almost_qmp = st.dictionaries(keys, json_values | st.dictionaries(keys, json_values)).map(
    lambda value: json.dumps(value).encode() + b"\n"
)


@given(st.lists(st.binary(max_size=40) | one_line_json | almost_qmp, max_size=6), st.integers(0, 3))
def test_garbage_gives_only_the_documented_error(chunks: list[bytes], in_flight: int) -> None:
    connection = ready_connection(in_flight)
    for chunk in chunks:
        with contextlib.suppress(RemoteProtocolError):
            connection.receive_data(chunk)
    with contextlib.suppress(RemoteProtocolError):
        connection.receive_eof()
    assert connection.state is (State.FAILED if connection.failure else State.ENDED)


STAMP = b'"timestamp":{"seconds":1,"microseconds":2}'


@pytest.mark.parametrize(
    "line",
    [
        b"garbage",
        b"[1]",
        b"null",
        b'"text"',
        b"{}",
        b'{"id":2}',
        b"\xff\xfe",
        b'{"return":"\xc3"}',
        b'{"return":NaN,"id":2}',
        b'{"return":-Infinity,"id":2}',
        b'{"return":1e999,"id":2}',
        b'{"return":' + b"9" * 5000 + b',"id":2}',
        b'{"return":"\\ud800","id":2}',
        b'{"return":{},"id":2} {}',
        b'{"return":{},"id":77}',
        b'{"return":{},"id":"2"}',
        b'{"return":{},"id":true}',
        b'{"return":{},"id":2.0}',
        b'{"return":{},"id":null}',
        b'{"return":{},"id":[2]}',
        b'{"return":{}}',
        b'{"return":{},"error":{"class":"a","desc":"b"},"id":2}',
        b'{"error":{},"id":2}',
        b'{"error":"no","id":2}',
        b'{"error":{"class":"a"},"id":2}',
        b'{"error":{"class":1,"desc":"b"},"id":2}',
        b'{"event":1,' + STAMP + b"}",
        b'{"event":"STOP"}',
        b'{"event":"STOP","data":[],' + STAMP + b"}",
        b'{"event":"STOP","timestamp":{"seconds":1}}',
        b'{"event":"STOP","timestamp":{"seconds":1.5,"microseconds":0}}',
        json.dumps(GREETING).encode(),
        b'{"QMP":{}}',
    ],
)
def test_an_offence_is_a_remote_protocol_error(line: bytes) -> None:
    connection = ready_connection(in_flight=1)
    assert connection.receive_data(line + b"\r\n") == []
    assert isinstance(connection.failure, RemoteProtocolError)
    with pytest.raises(RemoteProtocolError):
        connection.receive_data(b"")


@pytest.mark.parametrize(
    "greeting",
    [
        {},
        [],
        {"version": {"qemu": {"major": 7, "minor": 2}, "package": ""}, "capabilities": []},
        {
            "version": {"qemu": {"major": 7, "minor": 2, "micro": "0"}, "package": ""},
            "capabilities": [],
        },
        {
            "version": {"qemu": {"major": 7, "minor": 2, "micro": 0}, "package": ""},
            "capabilities": "oob",
        },
        {
            "version": {"qemu": {"major": 7, "minor": 2, "micro": 0}, "package": ""},
            "capabilities": [1],
        },
        {
            "version": {"qemu": {"major": 7, "minor": 2, "micro": 0}, "package": 1},
            "capabilities": [],
        },
    ],
)
def test_a_malformed_greeting_is_an_offence(greeting: object) -> None:
    connection = Connection()
    assert connection.receive_data(to_bytes([{"QMP": greeting}])) == []
    assert isinstance(connection.failure, RemoteProtocolError)


def test_a_second_answer_to_one_id_is_an_offence() -> None:
    connection = ready_connection(in_flight=1)
    answer = to_bytes([{"return": STATUS, "id": 2}])
    assert connection.receive_data(answer * 2) == [Reply(2, "query-status", STATUS)]
    assert isinstance(connection.failure, RemoteProtocolError)


def test_a_line_is_refused_before_all_of_it_has_come() -> None:
    connection = ready_connection()
    chunk = b"x" * (1024 * 1024)
    received = 0
    while connection.failure is None:
        connection.receive_data(chunk)
        received += len(chunk)
        assert connection.buffered_bytes <= MAX_LINE_BYTES
    assert received <= MAX_LINE_BYTES + len(chunk)
    assert connection.buffered_bytes == 0


def nested(levels: int) -> bytes:
    return b'{"return":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b',"id":2}\n'


def test_nesting_is_bounded() -> None:
    assert len(ready_connection(1).receive_data(nested(MAX_NESTING))) == 1
    connection = ready_connection(1)
    assert connection.receive_data(nested(MAX_NESTING + 1)) == []
    assert "nests" in str(connection.failure)
    connection = ready_connection(1)
    assert connection.receive_data(b"[" * 1_000_000 + b"\n") == []
    assert "nests" in str(connection.failure)


@given(json_values, st.integers(0, 4))
def test_nesting_is_counted_outside_of_texts(value: object, limit: int) -> None:
    def depth(part: object) -> int:
        if isinstance(part, dict):
            return 1 + max(map(depth, part.values()), default=0)
        if isinstance(part, list):
            return 1 + max(map(depth, part), default=0)
        return 0

    line = json.dumps(value).encode()
    assert nesting_exceeds(line, limit) == (depth(value) > limit)


@given(st.text(st.sampled_from('[]{}"\\'), max_size=12))
@example('\\"[')
def test_brackets_in_texts_do_not_nest(text: str) -> None:
    assert not nesting_exceeds(json.dumps({"a": text}).encode(), 1)


@given(st.dictionaries(texts, json_values, max_size=3))
def test_a_request_says_what_was_asked(arguments: dict[str, Any]) -> None:
    request = ready_connection().encode("device_add", arguments)
    assert request.data.endswith(b"\n")
    assert request.data.count(b"\n") == 1
    assert decode_line(request.data[:-1]) == {
        "execute": "device_add",
        "id": request.id,
        "arguments": arguments,
    }


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"a": float("nan")}, ValueError),
        ({"a": float("inf")}, ValueError),
        ({"a": "\ud800"}, ValueError),
        ({"a": object()}, TypeError),
        ({"a": "x" * MAX_LINE_BYTES}, ValueError),
    ],
)
def test_arguments_that_cannot_be_sent_are_refused_here(
    arguments: dict[str, Any], error: type[Exception]
) -> None:
    connection = ready_connection()
    with pytest.raises(error):
        connection.encode("device_add", arguments)
    assert connection.in_flight == 0


@pytest.mark.parametrize("levels", [MAX_NESTING, 100_000])
def test_arguments_that_nest_too_deep_are_refused_here(levels: int) -> None:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    with pytest.raises(ValueError, match="nest"):
        ready_connection().encode("x", {"a": value})


def test_out_of_band_is_enabled_where_offered() -> None:
    connection = Connection()
    connection.receive_data(to_bytes([GREETING]))
    request = connection.negotiate()
    assert json.loads(request.data) == {
        "execute": "qmp_capabilities",
        "arguments": {"enable": ["oob"]},
        "id": 1,
    }
    connection.begin(request)
    assert connection.state is State.NEGOTIATING
    connection.receive_data(to_bytes([NEGOTIATED]))
    assert connection.is_oob_enabled
    request = connection.encode("migrate-recover", {"uri": "x"}, is_oob=True)
    assert json.loads(request.data)["exec-oob"] == "migrate-recover"


def test_out_of_band_is_refused_where_it_was_not_offered() -> None:
    greeting = {"QMP": {**GREETING["QMP"], "capabilities": []}}
    connection = Connection()
    connection.receive_data(to_bytes([greeting]))
    request = connection.negotiate()
    assert "arguments" not in json.loads(request.data)
    connection.begin(request)
    connection.receive_data(to_bytes([NEGOTIATED]))
    with pytest.raises(ValueError, match="out of band"):
        connection.encode("migrate-pause", is_oob=True)


def test_out_of_band_answers_may_overtake() -> None:
    connection = ready_connection(in_flight=2)
    connection.begin(connection.encode("migrate-pause", is_oob=True))
    answers = [{"return": {}, "id": 4}, {"return": STATUS, "id": 2}, {"return": STATUS, "id": 3}]
    heard = connection.receive_data(to_bytes(answers))
    assert [(m.id, m.command) for m in heard if isinstance(m, Reply)] == [
        (4, "migrate-pause"),
        (2, "query-status"),
        (3, "query-status"),
    ]


def test_no_command_before_the_greeting_and_the_negotiation() -> None:
    connection = Connection()
    with pytest.raises(RuntimeError):
        connection.encode("query-status")
    with pytest.raises(RuntimeError):
        connection.negotiate()
    connection.receive_data(to_bytes([GREETING]))
    with pytest.raises(RuntimeError):
        connection.encode("query-status")
    connection.begin(connection.negotiate())
    with pytest.raises(RuntimeError):
        connection.negotiate()


def test_an_error_without_id_belongs_to_the_oldest_in_band_request() -> None:
    connection = ready_connection(in_flight=2)
    unnamed = {"error": {"class": "GenericError", "desc": "JSON parse error"}}
    heard = connection.receive_data(to_bytes([unnamed, {"return": STATUS, "id": 3}]))
    assert heard == [
        ErrorReply(2, "query-status", "GenericError", "JSON parse error"),
        Reply(3, "query-status", STATUS),
    ]


def test_an_error_without_id_is_an_offence_when_it_could_be_anybodys() -> None:
    unnamed = to_bytes([{"error": {"class": "GenericError", "desc": "JSON parse error"}}])
    idle = ready_connection()
    assert idle.receive_data(unnamed) == []
    assert idle.failure is not None
    mixed = ready_connection(in_flight=1)
    mixed.begin(mixed.encode("migrate-pause", is_oob=True))
    assert mixed.receive_data(unnamed) == []
    assert mixed.failure is not None


@pytest.mark.parametrize(
    ("is_oob", "bound"), [(False, MAX_IN_BAND_REQUESTS), (True, MAX_OOB_REQUESTS)]
)
def test_requests_in_flight_are_bounded(is_oob: bool, bound: int) -> None:
    connection = ready_connection()
    for _ in range(bound):
        assert connection.can_begin(is_oob=is_oob)
        connection.begin(connection.encode("x-oob-test", is_oob=is_oob))
    assert not connection.can_begin(is_oob=is_oob)
    assert connection.can_begin(is_oob=not is_oob)
    with pytest.raises(RuntimeError):
        connection.begin(connection.encode("x-oob-test", is_oob=is_oob))


def test_an_event_before_the_greeting_is_an_event() -> None:
    connection = Connection()
    event = {"event": "STOP", "timestamp": {"seconds": -1, "microseconds": -1}}
    heard = connection.receive_data(to_bytes([event, GREETING]))
    assert heard == [Event("STOP", {}, -1, -1), Greeting((7, 2, 22), "Debian", ("oob",))]


def test_empty_lines_mean_nothing() -> None:
    assert ready_connection().receive_data(b"\r\n\n \r\n") == []
