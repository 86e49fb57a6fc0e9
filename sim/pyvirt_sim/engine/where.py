"""Name the line of user code that a task waits at, or that made a call."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import trio

__all__ = [
    "call_site",
    "is_sleep_over",
    "is_user_file",
    "location_of",
    "task_location",
    "task_waits_for",
]

_HERE = str(Path(__file__).resolve().parent)
_TRIO = str(Path(trio.__file__).resolve().parent)
_STDLIB = sysconfig.get_paths()["stdlib"]
_PLUMBING = ("outcome", "attr", "sniffio", "sortedcontainers")
_is_user_file: dict[str, bool] = {}


def is_user_file(filename: str) -> bool:
    """Tell whether a frame of this file belongs to the program, not to Trio, Python or us."""
    known = _is_user_file.get(filename)
    if known is None:
        in_stdlib = filename.startswith(_STDLIB + os.sep) and "site-packages" not in filename
        package = Path(filename).parent.name
        known = _is_user_file[filename] = not (
            in_stdlib
            or filename.startswith(("<", _TRIO + os.sep, _HERE + os.sep))
            or package in _PLUMBING
        )
    return known


def _text(frame: FrameType, line: int | None) -> str:
    # Two path components tell files apart and do not depend on where the project lies.
    short = "/".join(frame.f_code.co_filename.replace(os.sep, "/").split("/")[-2:])
    return f"{short}:{line} in {frame.f_code.co_name}"


def task_location(task: trio.lowlevel.Task) -> str:
    """Return where ``task`` is suspended, in its innermost frame of user code."""
    found = first = None
    for frame, line in task.iter_await_frames():
        first = first or (frame, line)
        if is_user_file(frame.f_code.co_filename):
            found = frame, line
    chosen = found or first
    return "its end" if chosen is None else _text(*chosen)


def task_waits_for(task: trio.lowlevel.Task) -> str:
    """Return the Trio call that ``task`` is suspended in, as the user would name it."""
    inner: FrameType | None = None
    for frame, _ in task.iter_await_frames():
        if is_user_file(frame.f_code.co_filename):
            inner = None
        elif inner is None and frame.f_code.co_filename.startswith(_TRIO):
            inner = frame
    if inner is None:
        return "user code"
    name = inner.f_code.co_qualname
    return {"NurseryManager.__aexit__": "the end of a nursery"}.get(name, name)


def is_sleep_over(task: trio.lowlevel.Task) -> bool:
    """Tell whether ``task``, which is being cancelled, is cancelled by its own ``trio.sleep``.

    Trio sleeps in a cancel scope of its own, the innermost one: nobody else would call its end a
    cancellation.
    """
    names = {
        frame.f_code.co_name
        for frame, _ in task.iter_await_frames()
        if frame.f_code.co_filename.endswith("_timeouts.py")
    }
    scope = task._cancel_status._scope  # pyright: ignore[reportPrivateUsage]
    # Not `cancel_called`, which may cancel the scope.
    is_called = scope._cancel_called  # pyright: ignore[reportPrivateUsage]
    return "sleep_until" in names and is_called


def location_of(frame: FrameType) -> str:
    """Return the line that a running frame is at."""
    return _text(frame, frame.f_lineno)


def _callers() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame is not None:
        yield frame
        frame = frame.f_back


def call_site() -> str:
    """Return the innermost line of user code on the current call stack."""
    for frame in _callers():
        if is_user_file(frame.f_code.co_filename):
            return location_of(frame)
    return "an unknown place"
