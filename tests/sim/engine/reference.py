"""Trio's own loop under the engine's control: the reference that `run_loop` is held to.

Trio copies its run queue into a batch with ``list(runq)`` and empties it with ``runq.clear()``. A
list that yields only the chosen task, and whose ``clear`` does nothing, makes every turn of Trio's
generator one step of one task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sortedcontainers import SortedDict  # type: ignore[import-untyped]
from trio._core import _run

from pyvirt_sim.engine.execution import Execution


class OneTaskQueue(list[Any]):
    """The queue that Trio's generator sees: its batch is the task that the engine picked."""

    execution: Execution

    def __iter__(self) -> Iterator[Any]:
        execution = self.execution
        if not self:
            return iter(())
        if len(self) == 1 and execution.single_is_forced and not execution.passed:
            task = self.pop()
            execution.batch_left = 0
        else:
            # The engine looks at the real contents: lend them to it as a plain list.
            execution.queue = list(super().__iter__())
            task = execution.pick()
            super().clear()
            self.extend(execution.queue)
            execution.queue = self
            if task is None:
                return iter(())
        execution.order.append(task._counter)
        return iter((task,))

    def clear(self) -> None:
        """The chosen task has left already."""


def reference_loop(
    execution: Execution, program: Callable[..., Any], args: tuple[Any, ...]
) -> None:
    """Do what `run_loop` does by driving Trio's ``unrolled_run``."""
    runner = execution.runner
    queue = OneTaskQueue()
    queue.execution = execution
    runner.waiting_for_idle = SortedDict()
    runner.runq = execution.queue = queue  # type: ignore[assignment]
    generator = _run.unrolled_run(runner, program, args, host_uses_signal_set_wakeup_fd=True)
    try:
        generator.send(None)  # type: ignore[arg-type]
        while True:
            if not queue:
                execution.idle()
            generator.send(())  # type: ignore[arg-type]
    except StopIteration:
        pass
