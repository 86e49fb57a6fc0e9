"""Errors of the engine.

EngineError
  DeadlockError          the program: every task waits and no deadline will ever come
  StepLimitError         the program: it did not end within max_steps task steps
  EscapeError            the program: it reached for the real world (socket, thread, signal)
  ReplayDivergedError    the tape was recorded from another program, or the program is not
                         deterministic
  ChooserError           the chooser answered an index that was not on offer
  TapeFormatError        the text or file is not a tape this version can read
  UnsupportedTrioError   this Trio's internals behave differently from those known here
  SearchEnded            no fault: the chooser has no further run to offer
    SearchExhausted        it has run all there is
    TimeBoxExpired         its time is up
  RedundantRun           no fault: the run would only repeat what an earlier one has shown
  NondeterminismError    the program: the same answers gave another run
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

__all__ = [
    "BlockedTask",
    "ChooserError",
    "DeadlockError",
    "EngineError",
    "EscapeError",
    "NondeterminismError",
    "RedundantRun",
    "ReplayDivergedError",
    "SearchEnded",
    "SearchExhausted",
    "StepLimitError",
    "TapeFormatError",
    "TimeBoxExpired",
    "UnsupportedTrioError",
]


class EngineError(Exception):
    """Base of every error the engine itself raises or reports."""


@attrs.frozen
class BlockedTask:
    """A task that was waiting when nothing could run any more.

    Attributes:
        path: the task's path, for example ``main/reader[0]``.
        location: the line of user code that waits, for example ``driver/life.py:120 in pump``.
        waits_for: the Trio call it waits in, for example ``MemoryReceiveChannel.receive``.
    """

    path: str
    location: str
    waits_for: str

    def __str__(self) -> str:
        return f"{self.path} waits in {self.waits_for} at {self.location}"


class DeadlockError(EngineError):
    """Every task waits for another one and no deadline is pending: the program would hang.

    The fault is in the program under test. ``blocked`` lists the waiting tasks, oldest first.
    """

    def __init__(self, blocked: Sequence[BlockedTask], time_s: float) -> None:
        self.blocked = tuple(blocked)
        self.time_s = time_s
        lines = "".join(f"\n  {task}" for task in self.blocked)
        super().__init__(f"deadlock at {time_s:g} s: nothing can run and no deadline waits{lines}")


class StepLimitError(EngineError):
    """The program took more task steps than allowed: a livelock, or ``max_steps`` is too low."""

    def __init__(self, max_steps: int, running: str) -> None:
        self.max_steps = max_steps
        super().__init__(f"no end after {max_steps} task steps; the last to run was {running}")


class EscapeError(EngineError):
    """The program reached outside the simulation, where nothing can be replayed.

    Attributes:
        what: the call that escaped.
        site: the line of user code that made it.
        instead: what to use in its place.
    """

    def __init__(self, what: str, site: str, instead: str) -> None:
        self.what, self.site, self.instead = what, site, instead
        super().__init__(f"{what} at {site} leaves the simulation; {instead}")


class ReplayDivergedError(EngineError):
    """A strict replay met another choice than the one on its tape.

    Either the program is not the one recorded, or it is not deterministic: see
    ``prove_deterministic``.
    """


class ChooserError(EngineError):
    """A chooser returned an index outside the range it was offered."""


class TapeFormatError(EngineError, ValueError):
    """The text is not a tape, is damaged, or comes from a newer engine."""


class UnsupportedTrioError(EngineError):
    """The installed Trio schedules the canary program differently from every release known here."""


class SearchEnded(EngineError):
    """A chooser has no further run to offer. Raised by its ``start``, so out of ``simulate``.

    No fault of anybody: ``hunt`` catches it and returns what was covered. It may be raised again
    and again, by every further ``start``.
    """


class SearchExhausted(SearchEnded):
    """A systematic chooser has run everything within its bound; the text says within which."""


class TimeBoxExpired(SearchEnded):
    """The time given to a `TimeBox` is used up."""


class RedundantRun(EngineError):
    """The run that just began can only repeat one that has been seen, step for independent step.

    Raised by the ``choose`` of a reducing search, out of ``simulate`` once the program has been
    wound down. ``hunt`` counts it and goes on with the next run.
    """


class NondeterminismError(EngineError):
    """The same answers, given twice, made two different runs; the text names where they parted.

    The fault is in the program under test: something it uses is neither served by the engine nor
    fresh for each run.
    """
