"""QEMU's own schema: what commands take, what replies and events hold.

The data beside this file was recorded from a real QEMU (``query-qmp-schema``, and what it hides
but error messages tell: the width of integers, the names of alternates). Two uses:

* `check_arguments` refuses the arguments of a command with QEMU's own words, in the order in which
  QEMU meets the faults: base members, then members, then those of the branch, then what is left.
* `check_reply` and `check_event` hold our own QEMU to the schema; tests put everything it says to
  them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any, Final, cast

import attrs

from pyvirt_sim.qemu.errors import QmpError, missing, not_accepted, unexpected, wrong_type
from pyvirt_sim.qemu.order import glib_order, qdict_order


class SchemaError(Exception):
    """Something that our QEMU said is not what a real one would say.

    Args:
        path: Where, as ``data.reason``.
        problem: What the schema demands there.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path


@attrs.frozen
class Member:
    """A member of an object: its name and type, and whether it may be left out."""

    name: str
    type: str
    is_optional: bool


@attrs.frozen
class Object:
    """An object type; with a ``tag`` its other members depend on the value of that one."""

    members: tuple[Member, ...]
    tag: str | None
    variants: Mapping[str, str]


@attrs.frozen
class Enum:
    """An enumeration."""

    values: frozenset[str]


@attrs.frozen
class Alternate:
    """A value that may be of several JSON types; QEMU names it in errors."""

    name: str
    types: tuple[str, ...]


@attrs.frozen
class CommandSchema:
    """What a command takes and gives, and whether it may run out of band."""

    arguments: str
    reply: str
    allows_oob: bool


# JSON type as QEMU's errors name it, and the range of each width of integer.
_SCALARS: Final = {"str": "string", "bool": "boolean", "number": "number", "null": "null"}
_INT64: Final = (-(1 << 63), (1 << 63) - 1)
# A negative number is taken for an unsigned one of 64 bits: QEMU's visitor casts it.
_WIDTHS: Final[Mapping[str, tuple[int, int]]] = {
    "int": _INT64,
    "uint64": (-(1 << 63), (1 << 64) - 1),
    **{f"uint{bits}_t": (0, (1 << bits) - 1) for bits in (8, 16, 32)},
    **{f"int{bits}_t": (-(1 << bits - 1), (1 << bits - 1) - 1) for bits in (8, 16, 32)},
}
# These two check their arguments by hand; introspection does not tell.
UNCHECKED: Final = frozenset({"device_add"})


def _type(data: Mapping[str, Any]) -> Object | Enum | Alternate:
    if "enum" in data:
        return Enum(frozenset(data["enum"]))
    if "alternate" in data:
        return Alternate(data.get("name", "?"), tuple(data["alternate"]))
    members = tuple(
        Member(name.removesuffix("?"), kind, name.endswith("?"))
        for name, kind in data["members"].items()
    )
    return Object(members, data.get("tag"), data.get("variants", {}))


# Read while importing: inside a simulated run, files of the real world are out of reach.
_DATA: Final[dict[str, Any]] = json.loads(
    resources.files("pyvirt_sim.qemu").joinpath("schema-7.2.json").read_text("utf-8")
)
TYPES: Final[Mapping[str, Object | Enum | Alternate]] = {
    name: _type(data) for name, data in _DATA["types"].items()
}
COMMANDS: Final[dict[str, CommandSchema]] = {
    name: CommandSchema(data["arguments"], data["reply"], data.get("oob", False))
    for name, data in _DATA["commands"].items()
}
EVENTS: Final[Mapping[str, str]] = dict(_DATA["events"])


# -- arguments of commands, in QEMU's words -------------------------------------------------------


def check_arguments(command: str, arguments: Mapping[str, Any]) -> None:
    """Check the arguments of a command against the schema.

    Raises:
        QmpError: As QEMU refuses them.
    """
    if command not in UNCHECKED:
        _accept_object(COMMANDS[command].arguments, arguments, "")


def _accept_object(kind: str, value: Mapping[str, Any], path: str) -> None:
    known: set[str] = set()
    _accept_members(kind, value, path, known)
    if not known.issuperset(value):
        # QEMU takes from a hash table what it visits, then names the first that is left.
        order = glib_order(qdict_order(value))
        raise unexpected(path + next(name for name in order if name not in known))


def _accept_members(kind: str, value: Mapping[str, Any], path: str, known: set[str]) -> None:
    """Visit the members of an object type in order, those of its branch last."""
    found = TYPES[kind]
    assert isinstance(found, Object), kind
    for member in found.members:
        known.add(member.name)
        if member.name in value:
            accept(member.type, value[member.name], path + member.name, member.name)
        elif not member.is_optional:
            raise missing(path + member.name)
    branch = found.variants.get(str(value[found.tag])) if found.tag is not None else None
    if branch is not None:
        _accept_members(branch, value, path, known)


def accept(kind: str, value: object, path: str, name: str = "null") -> None:
    """Check one value that a client sent.

    Args:
        kind: Name of its type.
        value: It.
        path: Where it stands: ``capabilities[0].state``.
        name: Its bare name, which QEMU uses where it judges the value and not its type.

    Raises:
        QmpError: As QEMU refuses it.
    """
    if kind == "any":
        return
    if kind.startswith("["):
        if not isinstance(value, list):
            raise wrong_type(path, "array")
        for index, item in enumerate(cast("list[object]", value)):
            accept(kind[1:-1], item, f"{path}[{index}]")
        return
    if kind in _WIDTHS:
        _accept_integer(kind, value, path, name)
    elif kind in _SCALARS:
        if json_type(value) != _SCALARS[kind] and (kind, json_type(value)) != ("number", "int"):
            raise wrong_type(path, _SCALARS[kind])
    else:
        _accept_named(TYPES[kind], kind, value, path, name)


def _accept_named(
    found: Object | Enum | Alternate, kind: str, value: object, path: str, name: str
) -> None:
    if isinstance(found, Enum):
        if not isinstance(value, str):
            raise wrong_type(path, "string")
        if value not in found.values:
            raise not_accepted(name, value)
    elif isinstance(found, Alternate):
        _accept_alternate(found, value, path, name)
    else:
        if not isinstance(value, dict):
            raise wrong_type(path, "object")
        _accept_object(kind, cast("dict[str, Any]", value), f"{path}.")


def _accept_integer(kind: str, value: object, path: str, name: str) -> None:
    low, high = _WIDTHS[kind]
    is_integer = json_type(value) == "int"
    if kind == "int" or kind.startswith("int"):
        if not is_integer or not _INT64[0] <= cast("int", value) <= _INT64[1]:
            raise wrong_type(path, "integer")
    elif not is_integer:
        raise QmpError(f"Parameter '{path}' expects uint64")
    if not low <= cast("int", value) <= high:
        raise QmpError(f"Parameter '{name}' expects {kind}")


def _accept_alternate(found: Alternate, value: object, path: str, name: str) -> None:
    for kind in found.types:
        if _takes(kind, value):
            accept(kind, value, path, name)
            return
    raise wrong_type(name, found.name)


def _takes(kind: str, value: object) -> bool:
    """Whether a branch of an alternate is for values of this JSON type."""
    expected = "array" if kind.startswith("[") else "int" if kind in _WIDTHS else None
    if expected is None and kind in _SCALARS:
        expected = _SCALARS[kind]
    if expected is None:
        expected = "object" if isinstance(TYPES[kind], Object) else "string"
    return json_type(value) == expected


def json_type(value: object) -> str:
    """The JSON type of a value, as QEMU names it."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "int"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


# -- replies and events of our own ----------------------------------------------------------------


def check_reply(command: str, value: object) -> None:
    """Check the value of ``return``.

    Raises:
        SchemaError: No QEMU would answer that.
    """
    check_value(COMMANDS[command].reply, value, "return")


def check_event(name: str, data: Mapping[str, Any] | None) -> None:
    """Check an event.

    Raises:
        SchemaError: No QEMU would send that.
    """
    if name not in EVENTS:
        raise SchemaError(name, "QEMU has no such event")
    kind = TYPES[EVENTS[name]]
    has_members = isinstance(kind, Object) and bool(kind.members)
    if data is None and has_members:
        raise SchemaError(name, "lacks its data")
    if data is not None and not has_members:
        raise SchemaError(name, "has no data")
    check_value(EVENTS[name], data or {}, name)


def check_value(kind: str, value: object, path: str) -> None:
    """Check a value that our QEMU sends.

    Raises:
        SchemaError: With the path of the first fault.
    """
    try:
        accept(kind, value, path)
    except QmpError as error:
        raise SchemaError(path, error.description) from None
