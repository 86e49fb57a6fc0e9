"""Refuse what Python reports to audit hooks: sockets, processes, files opened for writing.

An audit hook cannot be removed, so one is installed for the process when the first run begins,
and it lets everything pass that does not come from inside a run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, Final

from pyvirt_sim.engine.fence.blame import refuse
from pyvirt_sim.engine.fence.boundary import REFUSED_EVENTS
from pyvirt_sim.engine.fence.gate import gate

__all__ = ["install_audit_hook"]

Arguments = tuple[Any, ...]
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_installed: list[bool] = []


def _opens_for_writing(arguments: Arguments) -> bool:
    """Reading is harmless, and so is wrapping a descriptor or throwing text away."""
    path, _mode, flags = arguments
    return bool(flags & _WRITING) and not isinstance(path, int) and path != os.devnull


def _opens_a_file(arguments: Arguments) -> bool:
    return arguments[0] not in (":memory:", "")


def _is_no_pair(_arguments: Arguments) -> bool:
    """A pair of sockets, like a pipe, connects the program with itself only; asyncio makes one."""
    frame = sys._getframe(2)  # pyright: ignore[reportPrivateUsage]
    caller = frame.f_back
    return caller is None or caller.f_code.co_name != "socketpair"


# Some events are reported for harmless calls too.
_IS_ESCAPE: Final[dict[str, Callable[[Arguments], bool]]] = {
    "open": _opens_for_writing,
    "socket.__new__": _is_no_pair,
    "sqlite3.connect": _opens_a_file,
}


def _hook(event: str, arguments: Arguments) -> None:
    # This is called for every event of every thread: most leave here.
    refusal = REFUSED_EVENTS.get(event)
    if refusal is None or gate.execution is None:
        return
    __tracebackhide__ = True
    is_escape = _IS_ESCAPE.get(event)
    if is_escape is None or is_escape(arguments):
        refuse(refusal)


def install_audit_hook() -> None:
    """Install the hook, once per process."""
    if not _installed:
        sys.addaudithook(_hook)
        _installed.append(True)
