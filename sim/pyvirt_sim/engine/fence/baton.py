"""An operating system thread that runs only while it is given the baton.

The engine's thread and its workers hand one baton to each other, so exactly one of them runs at
any time and nothing depends on the operating system's scheduler. They are real threads because
programs can tell: ``threading.local``, ``threading.current_thread`` and "am I in the Trio thread?"
answer as they do under ``trio.run``.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

import outcome

from pyvirt_sim.engine.fence.gate import outside

__all__ = ["Baton"]

# Real seconds after which a worker that has not come back is looked at. It changes nothing about
# a run that works: only one that would hang for ever is ended.
PATIENCE_S: Final = 2.0
_LOCKING: Final = frozenset(("queue.py", "threading.py"))


class Baton:
    """One worker thread, started on the first job and reused until `close`."""

    def __init__(self, enter: Callable[[], object]) -> None:
        self.enter = enter
        self.job: Callable[[], Any] | None = None
        self.result: outcome.Outcome[Any] | None = None
        self._returns = 0
        self._given, self._returned = threading.Lock(), threading.Lock()
        self._given.acquire()
        self._returned.acquire()
        self._thread = threading.Thread(target=self._main, daemon=True)
        self._is_started = False

    # -- called by the engine's thread --------------------------------------------------------

    def begin(self, job: Callable[[], Any], name: str | None) -> None:
        """Make ``job`` what the thread does when it next gets the baton."""
        self.job, self.result = job, None
        if name:
            self._thread.name = name

    def give(self) -> bool:
        """Let the thread run until it gives the baton back; tell whether it did.

        False means that it waits for a lock that nobody can release, because all others wait for
        the baton. It never runs again.

        Raises:
            KeyboardInterrupt: Ctrl-C came meanwhile; the baton is back nevertheless.
        """
        interrupt: KeyboardInterrupt | None = None
        returns = self._returns + 1
        try:
            if self._is_started:
                self._given.release()
            else:
                self._is_started = True
                with outside():
                    self._thread.start()
        except KeyboardInterrupt as error:
            interrupt = error
        while True:
            try:
                if not self._wait(returns):
                    return False
                break
            except KeyboardInterrupt as error:
                interrupt = error
        if interrupt is not None:
            raise interrupt
        return True

    def _wait(self, returns: int) -> bool:
        """Wait until the baton has come back for the ``returns``-th time."""
        last: tuple[FrameType, int] | None = None
        while not self._returned.acquire(timeout=PATIENCE_S):
            if self._returns == returns:
                # An interrupt came after the lock was taken and before that was known.
                self._returned.acquire(timeout=PATIENCE_S)
                return True
            place = self._waits_at()
            if place is not None and place == last:
                return False
            last = place
        return True

    def is_done(self) -> bool:
        """Tell whether the job has ended; its outcome is ``result``."""
        return self.result is not None

    def stack(self) -> FrameType | None:
        """Return the innermost frame of the thread."""
        frames = sys._current_frames()  # pyright: ignore[reportPrivateUsage]
        return frames.get(self._thread.ident or 0)

    def _waits_at(self) -> tuple[FrameType, int] | None:
        frame = self.stack()
        if frame is None or Path(frame.f_code.co_filename).name not in _LOCKING:
            return None
        return frame, frame.f_lasti

    def close(self) -> None:
        """End the thread; it must not have a job."""
        if self._is_started:
            self.job = None
            self._given.release()
            self._thread.join()

    # -- called by the worker's thread --------------------------------------------------------

    def give_back(self) -> None:
        """Let the engine run, and return when the thread gets the baton again."""
        self._returns += 1
        self._returned.release()
        self._given.acquire()

    def _main(self) -> None:
        self.enter()
        while self.job is not None:
            self.result = outcome.capture(self.job)
            self.job = None
            self.give_back()
