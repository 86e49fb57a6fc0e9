"""Keep the program inside the simulation: threads run inline, signals and real waits are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import outcome
import trio
from trio import _signals, _threads

from pyvirt_sim.engine.errors import EscapeError
from pyvirt_sim.engine.where import call_site

if TYPE_CHECKING:
    from pyvirt_sim.engine.execution import Execution

__all__ = ["fenced"]


class fenced:  # noqa: N801 - used as a function: `with fenced(execution):`
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
        name: str | None = None,
    ) -> None:
        """Run a thread's function in one step of a task of its own, when the chooser says so."""

        async def thread() -> None:  # one step: a real thread would not be interrupted by tasks
            deliver(outcome.capture(function))

        trio.lowlevel.spawn_system_task(thread, name="<thread>")

    @contextmanager
    def _refuse_signals(self, signals: Iterable[int], handler: object) -> Iterator[None]:
        raise self.execution.escape(
            EscapeError(
                "trio.open_signal_receiver()",
                call_site(),
                "let a task of the test call what the signal would trigger",
            )
        )
        yield
