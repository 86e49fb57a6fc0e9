"""Trio's worker threads, scheduled like tasks.

``trio.to_thread.run_sync`` asks Trio for a thread through ``start_thread_soon``. Here that spawns
a system task ``<thread>``, each of whose steps lets a real thread run (see ``baton``) until it
waits for Trio or ends. So the chooser decides when a worker begins, and when it goes on after

* ``trio.from_thread.run`` and ``run_sync``, which wait for the answer from the Trio side;
* ``trio.from_thread.check_cancelled``, the place where a cancellation may arrive;
* ``time.sleep``, which is a fair thing to do in a thread, and takes virtual time.

Between two of these a worker is not interrupted: races between threads over shared memory are
not looked for. A worker that was abandoned and still sleeps when the run ends gets `SystemExit`.
"""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import outcome
import trio
from trio import _threads
from trio._core import _thread_cache

from pyvirt_sim.engine.errors import EscapeError
from pyvirt_sim.engine.fence.baton import Baton
from pyvirt_sim.engine.fence.gate import gate
from pyvirt_sim.engine.fence.swap import Swap
from pyvirt_sim.engine.where import is_user_file, location_of, task_location

if TYPE_CHECKING:
    from pyvirt_sim.engine.execution import Execution

__all__ = ["Worker", "close_workers", "simulated_threads"]

Job = Callable[[], Any]
Deliver = Callable[[outcome.Outcome[Any]], object]
# How far virtual time moves when a worker asks whether it is cancelled and nobody else can run.
POLL_S: Final = 0.001
_original_send: Final = _threads._send_message_to_trio
_original_cache: Final = _thread_cache.THREAD_CACHE


class Worker:
    """One worker thread, and the ``<thread>`` task that stands for it in the schedule."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        self.baton = Baton(self._enter)
        self.host: trio.lowlevel.Task
        self.task: trio.lowlevel.Task
        self.sleep_s: float | None = None
        self.is_parked = False
        self.is_over = False
        self.is_killed = False
        self.last_poll = -1

    def _enter(self) -> None:
        """Put the new thread inside the run."""
        gate.current = gate.execution = self.execution
        gate.worker = self

    def site(self) -> str:
        """Return where the task waits that asked for this worker."""
        return task_location(self.host)

    # -- the worker's side ----------------------------------------------------------------------

    def pause(self, sleep_s: float | None) -> None:
        """Let others run: for ``sleep_s`` seconds of virtual time, or until `wake`."""
        self.sleep_s = sleep_s
        self.baton.give_back()
        if self.is_killed:
            raise SystemExit("the run was abandoned")

    def sleep(self, seconds: float) -> None:
        """Do what ``time.sleep`` does, in virtual time."""
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        self.pause(seconds)
        if self.is_over:
            raise SystemExit("the run ended before this thread did")

    def poll(self) -> None:
        """Let others run, and time pass if there are none: a cancellation may arrive."""
        steps = len(self.execution.order)
        nobody_else_ran = steps == self.last_poll + 1
        self.last_poll = steps
        self.pause(POLL_S if nobody_else_ran else 0)

    # -- the engine's side ----------------------------------------------------------------------

    def wake(self) -> None:
        """Make the worker runnable: its answer is there."""
        if self.is_parked:
            self.is_parked = False
            self.execution.runner.reschedule(self.task)

    async def run(self, job: Job, deliver: Deliver, name: str | None, host: Any) -> None:
        """Do ``job`` in the thread and deliver its outcome there."""
        self.host, self.task = host, trio.lowlevel.current_task()
        self.is_over, self.last_poll = False, -1
        self.baton.begin(lambda: deliver(outcome.capture(job)), name)
        while True:
            if not self.baton.give():
                deliver(outcome.Error(self._stuck()))
                return
            if self.baton.result is not None:
                self.execution.idle_workers.append(self)
                self.baton.result.unwrap()
                return
            try:
                await self._wait()
            except GeneratorExit:  # the run is abandoned; its threads should not stay behind
                self.is_killed = True
                if self.baton.give() and self.baton.is_done():
                    self.execution.idle_workers.append(self)
                raise

    async def _wait(self) -> None:
        if self.sleep_s is None:
            self.is_parked = True
            await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.FAILED)
            return
        try:
            await trio.sleep(self.sleep_s)
        except trio.Cancelled:
            # Only the end of the run cancels this task; the thread must still come to its end.
            self.is_over = True

    def _stuck(self) -> EscapeError:
        frame, site = self.baton.stack(), self.site()
        while frame is not None:
            if is_user_file(frame.f_code.co_filename):
                site = location_of(frame)
                break
            frame = frame.f_back
        return self.execution.escape(
            EscapeError(
                "waiting for another thread inside trio.to_thread.run_sync()",
                site,
                "wait for what a task does with trio.from_thread.run",
            )
        )


class _Reply:
    """The queue through which a worker gets the answer of the Trio side."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.items: deque[Any] = deque()

    def put_nowait(self, item: Any) -> None:
        self.items.append(item)
        self.worker.wake()

    def get(self) -> Any:
        while not self.items:
            self.worker.pause(None)
        return self.items.popleft()


def _send_message_to_trio(token: trio.lowlevel.TrioToken | None, message: Any) -> Any:
    """Send as Trio does, but wait for the answer without holding the baton."""
    if gate.worker is not None:
        object.__setattr__(message, "queue", _Reply(gate.worker))
    return _original_send(token, message)


class _ThreadCache:
    """Takes the place of Trio's collection of idle threads, and is it outside a run."""

    # Trio forgets these in a child process after a fork.
    _idle_workers = _original_cache._idle_workers

    def start_thread_soon(self, job: Job, deliver: Deliver, name: str | None = None) -> None:
        """Do ``job`` in a worker thread when the chooser says so."""
        execution = gate.execution
        if execution is None:
            _original_cache.start_thread_soon(job, deliver, name)
            return
        host = trio.lowlevel.current_task()

        async def thread() -> None:
            # Threads are not shared between runs: what a program leaves in a ``threading.local``
            # must not reach the next run.
            idle = execution.idle_workers
            await (idle.pop() if idle else Worker(execution)).run(job, deliver, name, host)

        # Not as a system task: generators that are closed after those have ended may need threads.
        runner = execution.runner
        runner.spawn_impl(thread, (), runner.entry_nursery, "<thread>", system_task=True)


class _PollingTaskData(_threads._ParentTaskData):
    """What Trio keeps for each worker thread, where looking for a cancellation is a pause."""

    # Read only by ``trio.from_thread.check_cancelled``; set when a job begins.
    @property
    def cancel_register(self) -> list[Any]:
        """Pause, and return the register."""
        if gate.worker is not None:
            gate.worker.poll()
        register: list[Any] = self.register
        return register

    @cancel_register.setter
    def cancel_register(self, register: list[Any]) -> None:
        self.register = register

    @cancel_register.deleter
    def cancel_register(self) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        del self.register


def simulated_threads() -> list[Swap]:
    """Return what to swap so that Trio gets its threads here."""
    return [
        Swap(_thread_cache.__dict__, {"THREAD_CACHE": _ThreadCache()}),
        Swap(
            _threads.__dict__,
            {
                "PARENT_TASK_DATA": _PollingTaskData(),
                "_send_message_to_trio": _send_message_to_trio,
            },
        ),
    ]


def close_workers(execution: Execution) -> None:
    """End the threads of a run that has ended."""
    for worker in execution.idle_workers:
        worker.baton.close()
    execution.idle_workers.clear()
