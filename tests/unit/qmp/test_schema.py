"""Questions to a schema are answered by path, whatever QEMU calls its types."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyvirt_trio.errors import RemoteProtocolError
from pyvirt_trio.qmp.schema import QmpSchema, SchemaMember
from tests.unit.qmp.strategies import json_values

SCHEMA: list[dict[str, Any]] = [
    {"name": "blockdev-add", "meta-type": "command", "arg-type": "1", "ret-type": "0"},
    {"name": "query-block", "meta-type": "command", "arg-type": "0", "ret-type": "[5]"},
    {"name": "migrate-pause", "meta-type": "command", "arg-type": "0", "allow-oob": True},
    {"name": "STOP", "meta-type": "event", "arg-type": "0"},
    {"name": "DEVICE_DELETED", "meta-type": "event", "arg-type": "4"},
    {"name": "0", "meta-type": "object", "members": []},
    {
        "name": "1",
        "meta-type": "object",
        "members": [
            {"name": "driver", "type": "2"},
            {"name": "child", "type": "3", "default": None},
        ],
        "tag": "driver",
        "variants": [{"case": "file", "type": "6"}],
    },
    {"name": "2", "meta-type": "enum", "values": ["file", "qcow2"]},
    {"name": "3", "meta-type": "alternate", "members": [{"type": "1"}, {"type": "str"}]},
    {
        "name": "4",
        "meta-type": "object",
        "members": [
            {"name": "device", "type": "str", "default": None},
            {"name": "path", "type": "str"},
        ],
    },
    {"name": "[5]", "meta-type": "array", "element-type": "5"},
    {"name": "5", "meta-type": "object", "members": [{"name": "inserted", "type": "4"}]},
    {
        "name": "6",
        "meta-type": "object",
        "members": [{"name": "filename", "type": "str", "features": ["deprecated"]}],
    },
    {"name": "str", "meta-type": "builtin", "json-type": "string"},
]


def test_commands_and_events() -> None:
    schema = QmpSchema(SCHEMA)
    assert schema.commands == ("blockdev-add", "migrate-pause", "query-block")
    assert schema.events == ("DEVICE_DELETED", "STOP")
    assert schema.has_command("blockdev-add")
    assert not schema.has_command("STOP")
    assert schema.has_event("STOP")
    assert not schema.has_event("blockdev-add")
    assert schema.command_allows_oob("migrate-pause")
    assert not schema.command_allows_oob("blockdev-add")


def test_members_are_found_through_variants_alternatives_and_arrays() -> None:
    schema = QmpSchema(SCHEMA)
    driver = schema.command_argument("blockdev-add", "driver")
    assert driver == SchemaMember("driver", "2", is_optional=False)
    assert driver is not None
    assert schema.enum_values(driver) == ("file", "qcow2")
    filename = SchemaMember("filename", "str", is_optional=False, features=("deprecated",))
    assert schema.command_argument("blockdev-add", "filename") == filename
    assert schema.command_argument("blockdev-add", "child", "child", "filename") == filename
    assert schema.enum_values(filename) == ()
    path = SchemaMember("path", "str", is_optional=False)
    assert schema.command_result("query-block", "inserted", "path") == path
    device = SchemaMember("device", "str", is_optional=True)
    assert schema.event_member("DEVICE_DELETED", "device") == device


def test_what_is_not_there_is_none() -> None:
    schema = QmpSchema(SCHEMA)
    assert schema.command_argument("blockdev-add", "nothing") is None
    assert schema.command_argument("blockdev-add", "driver", "deeper") is None
    assert schema.command_argument("nothing", "driver") is None
    assert schema.event_member("STOP", "device") is None
    with pytest.raises(ValueError, match="path"):
        schema.command_argument("blockdev-add")


@given(
    json_values | st.lists(st.fixed_dictionaries({"name": json_values, "meta-type": json_values}))
)
def test_what_is_no_schema_is_a_protocol_error(reply: object) -> None:
    try:
        schema = QmpSchema(reply)
    except RemoteProtocolError:
        return
    assert isinstance(reply, list)
    assert len(schema.commands) <= len(reply)
