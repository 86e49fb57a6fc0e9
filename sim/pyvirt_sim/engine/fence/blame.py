"""Find out who made a call that leaves the simulation, and raise, or let it pass.

The innermost frame that is neither Python's standard library, nor Trio, nor the engine is held
responsible. Python writing its bytecode caches and the test tools around the program may do as
they like; so may a chooser, whose frames are inside ``Execution.pick`` or ``Execution.draw``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import FrameType
from typing import Final

from pyvirt_sim.engine.errors import EscapeError
from pyvirt_sim.engine.fence.boundary import Refusal
from pyvirt_sim.engine.fence.gate import allowed, gate
from pyvirt_sim.engine.where import is_user_file, location_of

__all__ = ["refuse"]

_IMPORT: Final = "<frozen importlib._bootstrap_external>"
_TOOLS: Final = frozenset(
    ("_hypothesis_pytestplugin", "_pytest", "coverage", "hypothesis", "pluggy", "pytest", "xdist")
)
_ENGINE: Final = str(Path(__file__).resolve().parents[1]) + os.sep
_CHOOSING: Final = ("Execution.pick", "Execution.draw")
_is_trusted: dict[str, bool] = {_IMPORT: True}


def _trusted(filename: str) -> bool:
    known = _is_trusted.get(filename)
    if known is None:
        _, marker, inside = filename.replace(os.sep, "/").rpartition("/site-packages/")
        is_tool = bool(marker) and inside.split("/", 1)[0].removesuffix(".py") in _TOOLS
        known = _is_trusted[filename] = is_tool
    return known


def _responsible(frame: FrameType | None) -> tuple[FrameType | None, FrameType | None] | None:
    """Return the frame that is responsible and the one it called; None if it may do so."""
    found = entry = None
    while frame is not None:
        code = frame.f_code
        filename = code.co_filename
        if filename.startswith(_ENGINE):
            if code.co_qualname in _CHOOSING:
                return None
            if code.co_qualname == "run_loop":
                break  # what is further out called simulate()
        elif found is None:
            if _trusted(filename):
                return None
            if is_user_file(filename):
                found = frame
            elif not filename.endswith("contextlib.py"):
                entry = frame
        frame = frame.f_back
    return found, entry


def _public_name(frame: FrameType) -> str:
    module = str(frame.f_globals.get("__name__", "?"))
    public = "trio" if module.startswith("trio._") else module.removeprefix("_")
    return f"{public}.{frame.f_code.co_qualname}()"


def refuse(refusal: Refusal) -> None:
    """Raise `EscapeError` for a call that leaves the simulation, unless its caller may make it.

    Also remembers the escape, so that the run fails even if the program swallows the exception.
    """
    __tracebackhide__ = True  # pytest shows the program's line
    execution = gate.execution
    if execution is None or allowed.get() is not None:
        return
    responsible = _responsible(sys._getframe(1))  # pyright: ignore[reportPrivateUsage]
    if responsible is None:
        return
    frame, entry = responsible
    what = refusal.what
    if frame is not None and entry is not None:
        called = _public_name(entry)
        if called != what:
            what = f"{what} (by way of {called})"
    if frame is not None:
        site = location_of(frame)
    else:
        site = "an unknown place" if gate.worker is None else gate.worker.site()
    raise execution.escape(EscapeError(what, site, refusal.instead))
