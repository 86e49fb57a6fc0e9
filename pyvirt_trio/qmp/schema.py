"""What a QEMU says it can do, from ``query-qmp-schema``.

Ask the schema, not the version: distributions move features between versions. Names of types in the
schema are numbers that change from build to build, so questions are asked by path: the command or
event, then member names from the outside in. A path goes through arrays, through every variant of
a union and through every alternative without mention.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import attrs

from pyvirt_trio.errors import RemoteProtocolError
from pyvirt_trio.qmp.lines import is_object


@attrs.frozen
class SchemaMember:
    """A member of an object: an argument, a field of an event, or a field of a returned value.

    Args:
        name: Its name.
        type_name: The schema's name of its type.
        is_optional: Whether it may be left out.
        features: Words QEMU attaches to it, such as ``deprecated``.
    """

    name: str
    type_name: str
    is_optional: bool
    features: tuple[str, ...] = ()


class QmpSchema:
    """An index over one reply to ``query-qmp-schema``.

    Args:
        reply: What ``await session.execute("query-qmp-schema")`` returned.

    Raises:
        RemoteProtocolError: The reply is not a schema.
    """

    def __init__(self, reply: object) -> None:
        self._entities: dict[str, Mapping[str, Any]] = {}
        if not isinstance(reply, list):
            raise RemoteProtocolError("the schema is not a list")
        for entity in cast("list[object]", reply):
            if not is_object(entity):
                raise RemoteProtocolError("an entity of the schema is no object")
            name, meta_type = entity.get("name"), entity.get("meta-type")
            if type(name) is not str or type(meta_type) is not str:
                raise RemoteProtocolError("an entity of the schema lacks its name or meta-type")
            self._entities[name] = entity

    @property
    def commands(self) -> tuple[str, ...]:
        """All commands, sorted by name."""
        return self._of_kind("command")

    @property
    def events(self) -> tuple[str, ...]:
        """All events, sorted by name."""
        return self._of_kind("event")

    def has_command(self, name: str) -> bool:
        """Whether this QEMU knows a command."""
        return self._find(name, "command") is not None

    def has_event(self, name: str) -> bool:
        """Whether this QEMU knows an event."""
        return self._find(name, "event") is not None

    def command_allows_oob(self, name: str) -> bool:
        """Whether a command may be executed out of band."""
        command = self._find(name, "command")
        return command is not None and command.get("allow-oob") is True

    def command_argument(self, command: str, *path: str) -> SchemaMember | None:
        """Returns the argument of a command at a path, or None if there is none.

        Example: ``schema.command_argument("blockdev-add", "cache", "direct")``.
        """
        return self._follow(self._find(command, "command"), "arg-type", path)

    def command_result(self, command: str, *path: str) -> SchemaMember | None:
        """Returns the member at a path of what a command returns, or None."""
        return self._follow(self._find(command, "command"), "ret-type", path)

    def event_member(self, event: str, *path: str) -> SchemaMember | None:
        """Returns the member at a path of an event's data, or None."""
        return self._follow(self._find(event, "event"), "arg-type", path)

    def enum_values(self, member: SchemaMember) -> tuple[str, ...]:
        """Returns the values a member may take, in QEMU's order; none if it is not an enum."""
        enum = self._find(member.type_name, "enum")
        return () if enum is None else _texts(enum.get("values"))

    def _of_kind(self, meta_type: str) -> tuple[str, ...]:
        found = (
            name for name, entity in self._entities.items() if entity["meta-type"] == meta_type
        )
        return tuple(sorted(found))

    def _find(self, name: str, meta_type: str) -> Mapping[str, Any] | None:
        entity = self._entities.get(name)
        return entity if entity is not None and entity["meta-type"] == meta_type else None

    def _follow(
        self, start: Mapping[str, Any] | None, key: str, path: tuple[str, ...]
    ) -> SchemaMember | None:
        """Walks from an entity's type along member names; several members may share a path."""
        if not path:
            raise ValueError("the path needs at least one member name")
        type_names = [] if start is None else [start.get(key)]
        found: list[SchemaMember] = []
        for name in path:
            found = [m for m in self._members(type_names) if m.name == name]
            type_names = [m.type_name for m in found]
        return found[0] if found else None

    def _members(self, type_names: list[Any]) -> list[SchemaMember]:
        """Lists the members of types, with those of their elements, variants and alternatives."""
        members: list[SchemaMember] = []
        seen: dict[str, None] = {}
        pending = list(reversed(type_names))
        while pending:
            name = pending.pop()
            if type(name) is not str or name in seen or name not in self._entities:
                continue
            seen[name] = None
            entity = self._entities[name]
            members += [_member(item) for item in _objects(entity.get("members")) if "name" in item]
            if entity["meta-type"] == "array":
                pending.append(entity.get("element-type"))
            if entity["meta-type"] == "alternate":
                pending += [item.get("type") for item in _objects(entity.get("members"))]
            pending += [item.get("type") for item in _objects(entity.get("variants"))]
        return members


def _member(item: Mapping[str, Any]) -> SchemaMember:
    return SchemaMember(
        str(item["name"]), str(item.get("type")), "default" in item, _texts(item.get("features"))
    )


def _objects(value: object) -> list[Mapping[str, Any]]:
    items = cast("list[object]", value) if isinstance(value, list) else []
    return [item for item in items if is_object(item)]


def _texts(value: object) -> tuple[str, ...]:
    items = cast("list[object]", value) if isinstance(value, list) else []
    return tuple(item for item in items if isinstance(item, str))
