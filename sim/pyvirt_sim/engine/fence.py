"""Keep the program inside the simulation.

Threads run inline, in one step of a task of their own; signals are refused.
"""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import outcome
import trio
import trio._signals
import trio._threads

from pyvirt_sim.engine.errors import EscapeError
from pyvirt_sim.engine.where import call_site

if TYPE_CHECKING:
    from pyvirt_sim.engine.execution import Execution

__all__ = ["Fence"]

# The two modules, without their types: what they import for themselves is not declared public.
_threads: Any = trio._threads
_signals: Any = trio._signals


class Fence:
    """While active, Trio's doors to threads and signals lead back into ``execution``."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution

    def __enter__(self) -> None:
        self.saved = _threads.start_thread_soon, _signals._signal_handler
        _threads.start_thread_soon = self._start_inline
        _signals._signal_handler = self._refuse_signals

    def __exit__(self, *exc_info: object) -> None:
        _threads.start_thread_soon, _signals._signal_handler = self.saved

    def _start_inline(
        self,
        function: Callable[[], Any],
        deliver: Callable[[outcome.Outcome[Any]], object],
        _name: str | None = None,
    ) -> None:
        """Run a thread's function in one step of a task of its own, when the chooser says so."""

        async def thread() -> None:  # one step: tasks do not interrupt a thread's own code
            deliver(outcome.capture(function))

        trio.lowlevel.spawn_system_task(thread, name="<thread>")

    def _refuse_signals(self, _signals: object, _handler: object) -> NoReturn:
        raise self.execution.escape(
            EscapeError(
                "trio.open_signal_receiver()",
                call_site(),
                "let a task of the test call what the signal would trigger",
            )
        )
