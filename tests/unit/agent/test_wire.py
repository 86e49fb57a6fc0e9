"""What the agent says is believed only after a sync, and only when it answers the request."""

from __future__ import annotations

import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from pyvirt_trio.agent.wire import (
    DELIMITER,
    MAX_REPLY_BYTES,
    AgentWire,
    Answer,
    Message,
    Refusal,
    Synced,
)
from pyvirt_trio.errors import RemoteProtocolError


def number_in(request: bytes) -> int:
    number: int = json.loads(request.removeprefix(DELIMITER))["id"]
    return number


def line(**members: Any) -> bytes:
    return json.dumps(members).encode() + b"\n"


def sync_answer(request: bytes) -> bytes:
    return DELIMITER + line(**{"return": number_in(request)})


def synced() -> AgentWire:
    wire = AgentWire()
    assert wire.feed(sync_answer(wire.begin_sync())) == [Synced()]
    assert wire.is_in_sync
    return wire


NOISE = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from([b'{"return": 77}\n', DELIMITER, DELIMITER + b'{"return": 1}\n', b"\n"]),
    ),
    max_size=5,
)


@given(noise=NOISE, size=st.integers(1, 9), value=st.one_of(st.integers(), st.text(), st.none()))
def test_after_any_noise_and_in_any_chunks_a_sync_finds_the_answer_that_is_ours(
    noise: list[bytes], size: int, value: Any
) -> None:
    wire = AgentWire()
    wire.begin_sync()  # given up: its answer may be in the noise
    data = b"".join(noise) + sync_answer(wire.begin_sync())
    found: list[Message] = []
    for start in range(0, len(data), size):
        found += wire.feed(data[start : start + size])
    assert found == [Synced()]
    request = wire.request("guest-ping")
    stale = line(**{"return": "stale", "id": number_in(request) - 1})
    data = stale + line(**{"return": value, "id": number_in(request)})
    found = []
    for start in range(0, len(data), size):
        found += wire.feed(data[start : start + size])
    assert found == [Answer(value)]
    assert wire.is_in_sync


def test_a_request_is_one_line_of_json_and_the_sync_before_it_begins_with_the_delimiter() -> None:
    wire = AgentWire()
    ask = wire.begin_sync()
    assert ask.startswith(DELIMITER)
    assert ask.endswith(b"\n")
    assert wire.feed(sync_answer(ask)) == [Synced()]
    request = json.loads(wire.request("guest-exec-status", {"pid": 3}))
    assert request == {"execute": "guest-exec-status", "arguments": {"pid": 3}, "id": 2}


def test_an_agent_that_repeats_no_ids_is_believed_after_the_sync() -> None:
    wire = synced()
    wire.request("guest-ping")
    assert wire.feed(line(**{"return": {}})) == [Answer({})]


def test_a_refusal_is_told_in_the_agent_s_words() -> None:
    wire = synced()
    number = number_in(wire.request("guest-nope"))
    error = {"class": "CommandNotFound", "desc": "The command guest-nope has not been found"}
    expected = Refusal("CommandNotFound", "The command guest-nope has not been found")
    assert wire.feed(line(error=error, id=number)) == [expected]


def test_an_answer_nobody_waits_for_is_thrown_away_by_the_next_sync() -> None:
    wire = synced()
    request = wire.request("guest-fsfreeze-freeze")
    wire.abandon()
    assert not wire.is_in_sync
    late = line(**{"return": 2, "id": number_in(request)})
    ask = wire.begin_sync()
    assert wire.feed(late + sync_answer(ask)) == [Synced()]


@pytest.mark.parametrize("nonsense", [b"hello\n", b"[1]\n", b'{"id": 2}\n', b'{"error": 1}\n'])
def test_nonsense_instead_of_an_answer_is_an_offence_and_calls_for_a_sync(nonsense: bytes) -> None:
    wire = synced()
    wire.request("guest-ping")
    with pytest.raises(RemoteProtocolError):
        wire.feed(nonsense)
    wire.abandon()
    assert wire.feed(sync_answer(wire.begin_sync())) == [Synced()]


def test_an_endless_answer_is_cut_at_the_bound_and_while_syncing_costs_nothing() -> None:
    wire = synced()
    wire.request("guest-ping")
    with pytest.raises(RemoteProtocolError, match="is over 10485760 bytes"):
        wire.feed(b"x" * (MAX_REPLY_BYTES + 1))
    ask = wire.begin_sync()
    assert wire.feed(b"y" * (MAX_REPLY_BYTES + 1)) == []
    assert wire.feed(sync_answer(ask)) == [Synced()]
