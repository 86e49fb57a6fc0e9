"""Throw away the tasks of a run that cannot be ended.

A program may refuse to be cancelled. Its coroutines cannot be dropped as they are: collecting them
later, at any moment, would resume each one once with ``GeneratorExit`` outside any run, and Trio's
code in their cleanup would fail there, on the screen. So each is closed here, while Trio still
answers as inside the run. What the cleanup does reaches neither the record nor another task.
"""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import Any, Final

from trio._core import _parking_lot, _run

__all__ = ["abandon"]

# How often a coroutine that awaits in its cleanup is closed again: once per await it nests.
CLOSINGS: Final = 100
# What swallows even GeneratorExit for ever is kept for ever, and thereby quiet.
_kept: list[object] = []


def abandon(runner: _run.Runner) -> None:
    """Close every task and asynchronous generator of ``runner``, the youngest first."""
    context: Any = _run.GLOBAL_RUN_CONTEXT
    breakers: dict[Any, Any] = getattr(_parking_lot, "GLOBAL_PARKING_LOT_BREAKER", {})
    # Held here, so that none is collected, and handed to a task for closing, while tasks end.
    generators = list(runner.asyncgens.alive)
    while runner.tasks:  # some cleanup spawns another task
        task = max(runner.tasks, key=lambda task: task._counter)
        context.task = task
        if not _has_closed(task.coro, task.context):
            _kept.append(task)
        breakers.pop(task, None)
        for nursery in task.child_nurseries:
            nursery._children.clear()
        runner.tasks.discard(task)
    _kept.extend(generator for generator in generators if not _has_finished(generator))
    # Nothing that is still referred to, a token or a generator, may start a task in here again.
    runner.entry_queue.done = True


def _has_closed(coroutine: Any, context: Context) -> bool:
    for _ in range(CLOSINGS):
        try:
            context.run(coroutine.close)
        except BaseException:  # noqa: BLE001 - its last words; nobody is left to hear them
            continue
        return True
    return False


def _has_finished(generator: Any) -> bool:
    closing = generator.aclose()
    resume = partial(closing.send, None)
    for _ in range(CLOSINGS):
        with suppress(BaseException):  # again its last words
            resume()
        if generator.ag_frame is None:
            return True
        resume = partial(closing.throw, GeneratorExit)
    return False
