"""Blocking calls in threads, with no more around them than they need.

`trio.to_thread.run_sync` carries context variables over, names the thread for debuggers, and takes
two turns of the scheduler before it begins: that costs more than most files here take to be read
or written. This is the rest of it, made of the same pool of threads.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import outcome
import trio

ResultT = TypeVar("ResultT")

MAX_THREADS = 40
"""At work at once, as many as Trio's own default; what comes then queues for Trio's."""


class _Threads:
    """Knows how many are at work."""

    def __init__(self) -> None:
        self._at_work = 0

    async def run(self, call: Callable[..., ResultT], *args: object) -> ResultT:
        """What ``call(*args)`` returns or raises in a thread.

        Cancellation:
            Before it begins: it is not called. Then it is waited for, however long it takes.
        """
        if self._at_work >= MAX_THREADS:
            return await trio.to_thread.run_sync(partial(call, *args))
        await trio.lowlevel.checkpoint_if_cancelled()
        task, token = trio.lowlevel.current_task(), trio.lowlevel.current_trio_token()

        def deliver(result: outcome.Outcome[ResultT]) -> None:
            with contextlib.suppress(trio.RunFinishedError):  # it has crashed: nobody waits
                token.run_sync_soon(trio.lowlevel.reschedule, task, result)

        self._at_work += 1
        try:
            trio.lowlevel.start_thread_soon(partial(call, *args), deliver)
            result: ResultT = await trio.lowlevel.wait_task_rescheduled(_not_now)
        finally:
            self._at_work -= 1
        return result


def _not_now(_: object) -> trio.lowlevel.Abort:
    return trio.lowlevel.Abort.FAILED


in_thread = _Threads().run
