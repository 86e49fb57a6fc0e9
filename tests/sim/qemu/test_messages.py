"""Reading what a client sends: JSON however it is cut, orders of hash tables, arguments."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyvirt_sim.qemu import schema
from pyvirt_sim.qemu.errors import QmpError
from pyvirt_sim.qemu.json_text import JsonStream, Malformed
from pyvirt_sim.qemu.order import GlibTable, glib_order, qdict_order

# What QEMU has no character for: surrogates, and the non-characters of Unicode.
_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cn", "Co"]), max_size=8)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)
_OBJECTS = st.dictionaries(_TEXT, _VALUES, max_size=4)


@settings(max_examples=30)  # drawing the text takes most of the time
@given(st.lists(_OBJECTS, max_size=3), st.booleans(), st.data())
def test_messages_are_the_same_however_they_are_cut(
    messages: list[Any], as_ascii: bool, data: st.DataObject
) -> None:
    text = b"".join(json.dumps(one, ensure_ascii=as_ascii).encode() for one in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    stream = JsonStream()
    found: list[Any] = []
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        found += stream.feed(text[start:end])
    assert messages == found


@given(st.binary(max_size=40))
def test_whatever_comes_the_next_message_is_read(noise: bytes) -> None:
    stream = JsonStream()
    stream.feed(noise + b"\n\x01\n")
    assert stream.feed(b'{"execute":"stop"}') == [{"execute": "stop"}]


@given(st.binary(max_size=40))
def test_the_short_cut_reads_what_the_automaton_reads(noise: bytes) -> None:
    whole, bytewise = JsonStream(), JsonStream()
    expected = [value for byte in noise for value in bytewise.feed(bytes([byte]))]
    assert repr(expected) == repr(whole.feed(noise))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("JSON parse error, duplicate key", b'{"a":1,"a":2}'),
        ("JSON parse error, expecting value", b"]"),
        ("JSON parse error, invalid keyword 'nul'", b"nul "),
        ("JSON nesting depth limit exceeded", b"[" * 1025),
    ],
)
def test_bad_messages_have_qemus_words(words: str, text: bytes) -> None:
    assert [Malformed(words)] == JsonStream().feed(text)


_KEYS = st.lists(st.text("abcxyz-_", min_size=1, max_size=6), unique=True, max_size=40)


@given(_KEYS)
def test_orders_are_permutations(keys: list[str]) -> None:
    assert sorted(keys) == sorted(qdict_order(keys))
    assert sorted(keys) == sorted(glib_order(keys))


@given(_KEYS, st.data())
def test_a_table_holds_what_was_added_and_not_removed(keys: list[str], data: st.DataObject) -> None:
    table = GlibTable()
    for key in keys:
        table.add(key)
    gone = data.draw(st.lists(st.sampled_from(keys), unique=True)) if keys else []
    for key in gone:
        table.remove(key)
    assert set(keys) - set(gone) == set(table.keys())


def test_orders_are_those_a_real_qemu_showed() -> None:
    # QEMU 7.2 named "bb" first of these unexpected members, and "bar" of those arguments.
    assert next(key for key in qdict_order(["execute", "zz", "aa", "bb"]) if key[0] != "e") == "bb"
    assert glib_order(qdict_order(["driver", "foo", "bar", "zed"])) == [
        "driver",
        "bar",
        "zed",
        "foo",
    ]


@pytest.mark.parametrize(
    ("words", "command", "arguments"),
    [
        ("Parameter 'id' is missing", "device_del", {}),
        ("Invalid parameter type for 'id', expected: string", "device_del", {"id": 3}),
        ("Parameter 'b' is unexpected", "device_del", {"id": "a", "b": 1}),
        ("Parameter 'panic' does not accept value 'x'", "set-action", {"panic": "x"}),
        (
            "Invalid parameter type for 'file', expected: BlockdevRef",
            "blockdev-add",
            {"driver": "qcow2", "file": 3},
        ),
        (
            "Parameter 'multifd-channels' expects uint8_t",
            "migrate-set-parameters",
            {"multifd-channels": 300},
        ),
        (
            "Parameter 'capabilities[0].state' is missing",
            "migrate-set-capabilities",
            {"capabilities": [{"capability": "events"}]},
        ),
    ],
)
def test_arguments_are_refused_in_qemus_words(
    words: str, command: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(QmpError) as caught:
        schema.check_arguments(command, arguments)
    assert words == caught.value.description


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("NO_SUCH_EVENT", None),
        ("STOP", {}),
        ("SHUTDOWN", None),
        ("SHUTDOWN", {"guest": True}),
        ("SHUTDOWN", {"guest": True, "reason": "because"}),
        ("DEVICE_DELETED", {"path": "/x", "extra": 1}),
    ],
)
def test_events_that_no_qemu_sends_are_noticed(name: str, data: dict[str, Any] | None) -> None:
    with pytest.raises(schema.SchemaError, match=name):
        schema.check_event(name, data)


def test_replies_that_no_qemu_gives_are_noticed() -> None:
    schema.check_reply("query-status", {"status": "running", "running": True, "singlestep": False})
    with pytest.raises(schema.SchemaError, match="singlestep"):
        schema.check_reply("query-status", {"status": "running", "running": True})
