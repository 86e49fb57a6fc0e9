"""The loop: one step of one task per turn, on Trio's own Runner.

What a turn does is what ``trio._core._run.unrolled_run`` does, with three differences: the batch
is always one task, the one that was chosen; no I/O is polled; and expired deadlines are looked for
with one comparison. Trio's generator could be driven instead (replace ``runq`` by a deque whose
iterator yields one task), which costs a third more per step; the tests do so, and demand the same
digests from both.
"""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, cast

import trio
from outcome import Error, Outcome, Value
from trio._core import _run, _traps

from pyvirt_sim.engine.runner import NOTHING

if TYPE_CHECKING:
    from pyvirt_sim.engine.execution import Execution

__all__ = ["Task", "run_loop"]

Task = trio.lowlevel.Task
_CHECKPOINT: Final = _traps.CancelShieldedCheckpoint
_WAIT: Final = _traps.WaitTaskRescheduled
# Frames that every traceback of a task starts with: ours, and those of Context.run.
_OWN_FRAMES: Final = 1 + _run.CONTEXT_RUN_TB_FRAMES


def run_loop(execution: Execution, program: Callable[..., Any], args: tuple[Any, ...]) -> None:  # noqa: C901, PLR0915
    """Run the program, and what it leaves behind, to the end.

    Raises:
        TrioInternalError: a system task crashed, as under ``trio.run``.
    """
    runner = execution.runner
    queue, passed, order = execution.queue, execution.passed, execution.order
    tasks, deadlines, clock = runner.tasks, runner.deadlines, execution.clock
    pick, is_lean = execution.pick, not execution.detail
    local: dict[str, Any] = _run.GLOBAL_RUN_CONTEXT.__dict__
    runner.spawn_init(program, args)
    while tasks:
        heap = deadlines._heap
        if heap and heap[0][0] <= clock.now_s:
            deadlines.expire(clock.now_s)
        if len(queue) == 1 and execution.single_is_forced and not passed:
            task = queue.pop()
            execution.batch_left = 0
        elif queue:
            picked = pick()
            if picked is None:
                continue
            task = picked
        else:
            execution.idle()
            continue
        order.append(task._counter)
        if len(order) > execution.step_limit:
            execution.over_limit()

        if runner.instruments:
            runner.tell_turn(task)
        local["task"] = task
        resume, value = task._next_send_fn, task._next_send
        task._next_send_fn = task._next_send = None
        try:
            message: Any = task.context.run(cast("Callable[..., Any]", resume), value)
        except StopIteration as stop:
            outcome: Outcome[Any] = Value(stop.value)
        except BaseException as error:  # noqa: BLE001 - becomes the outcome of the task
            outcome = Error(error.with_traceback(_trimmed(error.__traceback__)))
        else:
            task._schedule_points += 1
            if message is _CHECKPOINT:
                if is_lean and not runner.instruments:  # what reschedule() does
                    task._next_send_fn, task._next_send = task.coro.send, NOTHING
                    task.custom_sleep_data = None
                    queue.append(task)
                else:
                    runner.reschedule(task)
            elif type(message) is _WAIT:
                task._cancel_points += 1
                task._abort_func = message.abort_func
                # Only then is there anything to do; the call is most of a step's own cost.
                if task._cancel_status.effectively_cancelled:
                    task._attempt_delivery_of_any_pending_cancel()
            else:
                _unusual_message(execution, task, message)
            if runner.instruments:
                runner.tell("after_task_step", task)
            del local["task"], message
            continue
        runner.task_exited(task, outcome)
        if runner.instruments:
            runner.tell("after_task_step", task)
        # Do not keep the locals of a task alive until the next one ends.
        del local["task"], outcome, task, resume, value


def _trimmed(traceback: TracebackType | None) -> TracebackType | None:
    for _ in range(_OWN_FRAMES):
        if traceback is not None:
            traceback = traceback.tb_next
    return traceback


def _unusual_message(execution: Execution, task: Task, message: Any) -> None:
    """Handle what a task may yield besides waiting: to detach, or a foreign library's trap."""
    if type(message) is _traps.PermanentlyDetachCoroutineObject:
        execution.runner.task_exited(task, message.final_outcome)
        return
    error: Any = TypeError(
        f"trio.run received unrecognized yield message {message!r}. "
        "Are you trying to use a library written for some other framework like asyncio?"
    )
    execution.runner.reschedule(task, error)
    task._next_send_fn = task.coro.throw
