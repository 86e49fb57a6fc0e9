"""Events as JSON values and back, for what outlives this process.

A restart reads some hundred of them before anything else can go on, so what is made of a field is
looked up once for each class, and only for classes that are met.
"""

from __future__ import annotations

import enum
import functools
import types
import typing
import uuid
from collections.abc import Callable
from typing import Any, TypeAlias

import attrs

from pyvirt_trio.models import events
from pyvirt_trio.models.event_filter import EVENT_TYPES
from pyvirt_trio.models.events import Record

_FIELDS = {one: tuple(field.name for field in attrs.fields(one)) for one in EVENT_TYPES.values()}

_Read: TypeAlias = Callable[[Any], Any]
"""Makes the value of a field of what JSON has of it; raises for anything else."""


def record_to_value(record: Record) -> list[Any]:
    """A record as a JSON value: its number, its time, the name of its event's class, the fields.

    Details are integers and tuples are lists for JSON, which leaves the UUID to be said otherwise.
    """
    event = record.event
    fields = {name: getattr(event, name) for name in _FIELDS[type(event)]}
    if "uuid" in fields:
        fields["uuid"] = str(fields["uuid"])
    return [record.sequence, record.time_s, type(event).__name__, fields]


def record_from_value(value: Any) -> Record:
    """The record that `record_to_value` made ``value`` of; fields of a newer version are left out.

    Raises:
        ValueError: It is none, or of a class that this version does not know.
    """
    try:
        sequence, time_s, kind, fields = value
        readers = _readers(kind)
        known = {name: readers[name](one) for name, one in fields.items() if name in readers}
        return Record(int(sequence), EVENT_TYPES[kind](**known), float(time_s))
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise ValueError(f"not a record of an event: {value!r:.80}") from error


@functools.cache
def _readers(kind: str) -> dict[str, _Read]:
    event = EVENT_TYPES[kind]
    names = dict(vars(events))  # not those of the class, where `uuid` is a field
    hints = typing.get_type_hints(event, names, names)
    return {name: _reader(hints[name]) for name in _FIELDS[event]}


def _reader(hint: Any) -> _Read:
    """What reads a field with this annotation."""
    parts = typing.get_args(hint)
    if isinstance(hint, types.UnionType):
        return functools.partial(_one_of, parts)
    if typing.get_origin(hint) is tuple:
        if parts[-1] is Ellipsis:
            return functools.partial(_many, _reader(parts[0]))
        return functools.partial(_row, tuple(map(_reader, parts)))
    if hint is uuid.UUID or issubclass(hint, enum.Enum):
        return typing.cast("_Read", hint)
    return functools.partial(_one_of, (hint,))


def _one_of(kinds: tuple[type, ...], value: Any) -> Any:
    if type(value) not in kinds:
        raise TypeError(f"{value!r:.40} is none of {kinds}")
    return value


def _many(read: _Read, values: Any) -> tuple[Any, ...]:
    return tuple(map(read, values))


def _row(readers: tuple[_Read, ...], values: Any) -> tuple[Any, ...]:
    return tuple(read(value) for read, value in zip(readers, values, strict=True))
