"""Is this thread inside a run? Everything the fence does asks this first.

The answer belongs to a thread, not to the process: the thread that called ``simulate``, and the
worker threads of that run while they hold the baton, are inside; every other thread of the
process, a debugger's or a test runner's, lives on in the real world beside them.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pyvirt_sim.engine.execution import Execution
    from pyvirt_sim.engine.fence.threads import Worker

__all__ = ["allow_escape", "allowed", "gate", "outside"]


class _Gate(threading.local):
    """What the calling thread is.

    Attributes:
        current: the run it is part of, from the chooser's start to its end.
        execution: the same while the program itself runs; the fence stands then.
        worker: which worker thread of that run it is, if any.
    """

    current: Execution | None = None
    execution: Execution | None = None
    worker: Worker | None = None


gate: Final = _Gate()
# A context variable, so that the permission of one task is not that of all others.
allowed: Final[ContextVar[str | None]] = ContextVar("allowed", default=None)


@contextmanager
def allow_escape(reason: str) -> Generator[None]:
    """Let this task reach the real world until the block ends.

    For what a program does not depend on, or what never changes: writing a log, asking the
    environment once. A replay does it again. Tasks and worker threads started inside the block
    have the same permission. Time and chance stay those of the simulation.

    Args:
        reason: why this is safe, for the reader; must not be empty.

    Raises:
        ValueError: there is no reason.
    """
    if not reason.strip():
        raise ValueError("say why leaving the simulation is safe here")
    token = allowed.set(reason)
    try:
        yield
    finally:
        allowed.reset(token)


@contextmanager
def outside() -> Generator[None]:
    """Run engine code, or a foreign library that a chooser calls, as if there were no run."""
    execution, gate.execution = gate.execution, None
    try:
        yield
    finally:
        gate.execution = execution
