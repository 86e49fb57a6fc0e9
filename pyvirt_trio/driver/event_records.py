"""Events as JSON values and back, for what outlives this process."""

from __future__ import annotations

import uuid
from typing import Any

from cattrs.errors import BaseValidationError
from cattrs.preconf.json import make_converter

from pyvirt_trio.models.event_filter import EVENT_TYPES
from pyvirt_trio.models.events import Record

_converter = make_converter()
_converter.register_unstructure_hook(uuid.UUID, str)
_converter.register_structure_hook(uuid.UUID, lambda value, _: uuid.UUID(value))


def record_to_value(record: Record) -> list[Any]:
    """A record as a JSON value: its number, its time, the name of its event's class, the fields."""
    fields = _converter.unstructure(record.event)
    return [record.sequence, record.time_s, type(record.event).__name__, fields]


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
