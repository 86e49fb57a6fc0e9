"""What a chooser is asked, and the three methods that make a chooser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import attrs

if TYPE_CHECKING:
    from pyvirt_sim.engine.footprint_collect import Collector
    from pyvirt_sim.engine.record import Record, Run

__all__ = ["TIMER", "Chooser", "Point", "RunStart"]

# The name of the candidate "let virtual time move to the next deadline now".
TIMER = "<timer>"


@attrs.frozen
class RunStart:
    """What a chooser may know before a run: the options of ``simulate`` that matter to it."""

    policy: str
    timers: str
    max_steps: int


class Point:
    """A choice that has more than one possible answer. Valid only during the call of ``choose``.

    Attributes:
        kind: ``task`` for the schedule, else the name of the stream (``faults``, ``latency``,
            ``data`` or a stream of your own).
        stream: the stream the answer is recorded in.
        label: what is decided; empty for the schedule.
        bound: number of possible answers; the answer is an index below it, 0 is canonical.
        has_timer: whether the last candidate is "let time move now" (``timers="choice"`` only).
        step: how many task steps came before.
    """

    __slots__ = ("bound", "has_timer", "kind", "label", "source", "step", "stream")

    def __init__(self, source: CandidateSource) -> None:
        self.kind = "task"
        self.stream = "schedule"
        self.label = ""
        self.bound = 0
        self.has_timer = False
        self.step = 0
        self.source = source

    @property
    def names(self) -> Sequence[str]:
        """The candidates: paths of the runnable tasks, longest runnable first, or option names."""
        return self.source.candidate_names(self)

    @property
    def numbers(self) -> Sequence[int]:
        """The candidates' task numbers, unique and constant within the run; -1 is the timer."""
        return self.source.candidate_numbers(self)

    @property
    def order(self) -> Sequence[int]:
        """The numbers of the tasks of all steps so far; -1 where time moved by choice."""
        return self.source.order

    @property
    def parents(self) -> Sequence[int]:
        """By task number, the number of the task that spawned it; -1 for none."""
        return self.source.record.parents

    @property
    def footprints(self) -> Collector | None:
        """What each step so far touched; None unless the chooser ``wants_footprints``."""
        return self.source.footprints

    def path(self, number: int) -> str:
        """Return the path of the task with this number: the same in every run it appears in."""
        return self.source.record.path(number)


class CandidateSource(Protocol):
    """Computes the candidates of a point, only when a chooser asks for them."""

    order: list[int]
    record: Record
    footprints: Collector | None

    def candidate_names(self, point: Point) -> Sequence[str]:
        """Return one printable name per candidate."""
        ...

    def candidate_numbers(self, point: Point) -> Sequence[int]:
        """Return one number per candidate."""
        ...


@runtime_checkable
class Chooser(Protocol):
    """An oracle that answers every choice of a run, and lives over many runs so that it can search.

    Whatever ``choose`` raises ends the run: the engine cancels the program, lets it finish on the
    canonical schedule, and then raises the same exception out of ``simulate``.

    A chooser that has no further run raises `SearchEnded` from ``start``: the program is not run,
    the exception comes out of ``simulate``, and ``hunt`` returns what was covered.
    """

    def start(self, run: RunStart, /) -> None:
        """Prepare for the next run.

        Raises:
            SearchEnded: there is none.
        """
        ...

    def choose(self, point: Point, /) -> int:
        """Return the index of the candidate that is taken, ``0 <= index < point.bound``."""
        ...

    def finish(self, result: Run | None, /) -> None:
        """Learn from the run that ended; None when it was abandoned because ``choose`` raised."""
        ...
