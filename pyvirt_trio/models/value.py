"""What makes two values equal, said once for all models.

attrs can write that into each class: it compiles three functions for each of a hundred classes,
every time the library is loaded. That took a manager longer than to reconnect to all its domains,
which wait for it meanwhile.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import attrs


@attrs.frozen(eq=False, repr=False)
class Value:
    """A base of frozen attrs classes that are made with ``eq=False, repr=False``.

    Two are equal when they are of one class and all their fields are, as attrs has it.
    """

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        fields = _fields(type(self))
        return bool(fields(self) == fields(other))

    def __hash__(self) -> int:
        return hash((type(self), _fields(type(self))(self)))

    def __repr__(self) -> str:
        names = [field.name for field in attrs.fields(type(self)) if field.repr]  # no passwords
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__qualname__}({shown})"


_KNOWN: dict[type[Value], Callable[[Any], Any]] = {}


def _fields(kind: type[Value]) -> Callable[[Any], Any]:
    """What gives the values of all fields of a class, made once."""
    known = _KNOWN.get(kind)
    if known is None:
        names = [field.name for field in attrs.fields(kind)]
        known = _KNOWN[kind] = operator.attrgetter(*names) if names else _nothing
    return known


def _nothing(_: object) -> None:
    return None
