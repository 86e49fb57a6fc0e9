"""Events as JSON values and back, for what outlives this process."""

from __future__ import annotations

import uuid
from typing import Any

import attrs
from cattrs.errors import BaseValidationError
from cattrs.preconf.json import make_converter

from pyvirt_trio.models.event_filter import EVENT_TYPES
from pyvirt_trio.models.events import Record

_converter = make_converter()
_converter.register_structure_hook(uuid.UUID, lambda value, _: uuid.UUID(value))

_FIELDS = {one: tuple(field.name for field in attrs.fields(one)) for one in EVENT_TYPES.values()}


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
    """The record that `record_to_value` made ``value`` of.

    Raises:
        ValueError: It is none, or of a class that this version does not know.
    """
    try:
        sequence, time_s, kind, fields = value
        event = _converter.structure(fields, EVENT_TYPES[kind])
        return Record(int(sequence), event, float(time_s))
    except (BaseValidationError, TypeError, ValueError, LookupError, AttributeError) as error:
        raise ValueError(f"not a record of an event: {value!r:.80}") from error
