"""Which lines of the program a run executed, and what each changed.

Schedules tell that two runs differ, but often long after the cause. So once two runs are known to
differ they are run again under Python's tracing, and the first line after which a local variable
differs, or another line follows, is the cause or stands right beside it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import FrameType
from typing import Any, Final, cast

import attrs

from pyvirt_sim.engine.where import is_user_file, location_of

__all__ = ["Line", "LineTracer"]

# Lines kept of one run. A program that is longer is compared up to there.
MAX_LINES: Final = 200_000
_PLAIN: Final = (type(None), bool, int, float, complex, str, bytes)
_DEPTH: Final = 3
_MAX_ITEMS: Final = 12
_MAX_TEXT: Final = 120


@attrs.frozen
class Line:
    """A line about to be executed, and the local variables that changed since the last one."""

    place: str
    changed: tuple[tuple[str, str], ...]


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)


def picture(value: Any, depth: int = _DEPTH) -> str:
    """Return a short text of ``value`` free of addresses and of the order of sets.

    The program's own ``__repr__`` is not called: it might do anything.
    """
    if isinstance(value, _PLAIN):
        return repr(value)[:_MAX_TEXT]
    name = type(value).__qualname__
    if depth == 0:
        return f"<{name}>"
    if isinstance(value, (list, tuple)):
        items = cast("list[Any]", value)[:_MAX_ITEMS]
        return f"{name}({', '.join(picture(item, depth - 1) for item in items)})"
    if isinstance(value, (set, frozenset)):
        members = sorted(picture(item, depth - 1) for item in cast("set[Any]", value))
        return f"{name}({', '.join(members[:_MAX_ITEMS])})"
    fields: Any = value if _is_dict(value) else getattr(value, "__dict__", None)
    if _is_dict(fields):
        pairs: list[tuple[Any, Any]] = list(fields.items())[:_MAX_ITEMS]
        inside = ", ".join(f"{picture(k, 1)}: {picture(v, depth - 1)}" for k, v in pairs)
        return f"{name}({inside})"
    return f"<{name}>"


class LineTracer:
    """While entered, keeps the lines that this thread executes in the program's own files."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._known: dict[int, dict[str, str]] = {}

    def __enter__(self) -> LineTracer:
        self._previous = sys.gettrace()
        sys.settrace(self._call)
        return self

    def __exit__(self, *exc_info: object) -> None:
        sys.settrace(self._previous)

    def _call(self, frame: FrameType, _event: str, _arg: Any) -> Any:
        if len(self.lines) >= MAX_LINES or not is_user_file(frame.f_code.co_filename):
            return None
        self._known[id(frame)] = {}
        return self._line

    def _line(self, frame: FrameType, event: str, _arg: Any) -> Any:
        if event in ("line", "return"):
            known = self._known.setdefault(id(frame), {})
            self.lines.append(Line(location_of(frame), self._changes(known, frame.f_locals)))
        return self._line

    @staticmethod
    def _changes(known: dict[str, str], found: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
        changed: list[tuple[str, str]] = []
        for name, value in found.items():
            text = picture(value)
            if known.get(name) != text:
                known[name] = text
                changed.append((name, text))
        return tuple(changed)
