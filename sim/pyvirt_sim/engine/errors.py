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

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from pyvirt_sim.engine.determinism.observation import Divergence

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
    "Spin",
    "SpinningTask",
    "StepLimitError",
    "TapeFormatError",
    "TimeBoxExpired",
    "UnsupportedTrioError",
    "wait_cycles",
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
        what: what it waits on, by the name of the variable: ``Lock 'self.lock'``; empty if unknown.
        relation: what the tasks in ``holders`` have to do with it, for example ``held by``.
        holders: paths of the waiting tasks that it waits for, or that could end its wait.
        strangers: how many more hold it and do not wait: they have ended, or are no tasks.
        is_known: Trio keeps the holders; otherwise they are the tasks with that object in a
            variable.
    """

    path: str
    location: str
    waits_for: str
    what: str = ""
    relation: str = ""
    holders: tuple[str, ...] = ()
    strangers: int = 0
    is_known: bool = False

    def __str__(self) -> str:
        what = f"for {self.what}" if self.what else f"in {self.waits_for}"
        line = f"{self.path} waits {what} at {self.location}"
        if not self.relation:
            return line
        names = list(self.holders)
        if self.strangers:
            names.append(f"{self.strangers} that ended or is no task")
        return f"{line}; {self.relation} {', '.join(names) or 'nobody'}"


def wait_cycles(blocked: Sequence[BlockedTask]) -> list[list[BlockedTask]]:
    """Return the circles in which tasks wait for one another, each from its first task on.

    Every task is in at most one of them: the first circle that leads back to it.
    """
    by_path = {task.path: task for task in blocked}
    cycles: list[list[BlockedTask]] = []
    seen: set[str] = set()
    for start in blocked:
        if start.path in seen:
            continue
        found = _way_back(start, by_path)
        if found and not seen & {task.path for task in found}:
            seen |= {task.path for task in found}
            cycles.append(found)
    return cycles


def _way_back(start: BlockedTask, by_path: Mapping[str, BlockedTask]) -> list[BlockedTask]:
    """Return the shortest way from ``start`` along the waits back to it, empty if there is none."""
    ways = [[start]]
    visited: set[str] = set()
    for way in ways:  # grows while it is walked: breadth first
        for path in way[-1].holders:
            if path == start.path:
                return way
            if path in by_path and path not in visited:
                visited.add(path)
                ways.append([*way, by_path[path]])
    return []


class DeadlockError(EngineError):
    """Every task waits for another one and no deadline is pending: the program would hang.

    The fault is in the program under test.

    Attributes:
        blocked: the waiting tasks, oldest first: the wait graph.
        cycles: the circles in it.
        time_s: when, in virtual seconds.
    """

    def __init__(self, blocked: Sequence[BlockedTask], time_s: float) -> None:
        self.blocked = tuple(blocked)
        self.cycles = tuple(tuple(cycle) for cycle in wait_cycles(blocked))
        self.time_s = time_s
        lines = [f"  {task}" for task in self.blocked]
        for cycle in self.cycles:
            way = " -> ".join([*(task.path for task in cycle), cycle[0].path])
            sure = all(task.is_known for task in cycle)
            lines.append(f"  {'in a circle' if sure else 'perhaps in a circle'}: {way}")
        text = "".join(f"\n{line}" for line in lines)
        super().__init__(f"deadlock at {time_s:g} s: nothing can run and no deadline waits{text}")


@attrs.frozen
class SpinningTask:
    """A task that took ``steps`` of the last steps and is at ``location`` now."""

    path: str
    steps: int
    location: str

    def __str__(self) -> str:
        where = f"at {self.location}" if self.location else "has ended"
        return f"{self.path}: {self.steps} {'step' if self.steps == 1 else 'steps'}, {where}"


@attrs.frozen(kw_only=True)
class Spin:
    """How a program that does not end spends its steps.

    Attributes:
        time_s: virtual time at the end.
        steps_at_instant: steps since time last moved.
        window: how many last steps were looked at.
        window_s: virtual seconds they took.
        tasks: who took most of them.
        period: the round, in steps, that repeats at the end; 0 if none does.
    """

    time_s: float
    steps_at_instant: int
    window: int
    window_s: float
    tasks: tuple[SpinningTask, ...]
    period: int

    def __str__(self) -> str:
        if self.window_s > 0:
            pace = f"{self.window / self.window_s:g} steps per virtual second"
        else:
            pace = f"time stands still at {self.time_s:g} s for {self.steps_at_instant} steps"
        round_ = "the same step" if self.period == 1 else f"the same {self.period} steps"
        period = f"; {round_} again and again" if self.period else ""
        lines = "".join(f"\n  {task}" for task in self.tasks)
        return f"{pace}{period}; of the last {self.window} steps{lines}"


class StepLimitError(EngineError):
    """The program took more task steps than allowed: a livelock, or ``max_steps`` is too low.

    Attributes:
        max_steps: the limit.
        spin: who took the last steps, where, and whether time still moved.
    """

    def __init__(self, max_steps: int, spin: Spin) -> None:
        self.max_steps = max_steps
        self.spin = spin
        super().__init__(f"no end after {max_steps} task steps: {spin}")


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
    """A systematic chooser has run everything within its bound; the text says within which.

    Attributes:
        is_complete: there was no bound: all that the program can do has been seen.
    """

    def __init__(self, text: str, *, is_complete: bool = True) -> None:
        self.is_complete = is_complete
        super().__init__(text)


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

    Attributes:
        divergence: the first difference, from ``prove_deterministic``; else None.
    """

    def __init__(self, text: str, divergence: Divergence | None = None) -> None:
        self.divergence = divergence
        super().__init__(text)
