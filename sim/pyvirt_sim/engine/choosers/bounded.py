"""Systematic search by number of preemptions (Musuvathi and Qadeer, PLDI 2007).

A *preemption* takes the turn from a task that could go on. Letting another task go when the last
one waits costs nothing, so bound 0 already covers every order in which tasks that run as far as
they can may follow each other: the bugs where one task starves. Few bugs need more than two
preemptions, and for each bound the number of schedules is polynomial in the length of the program.

The search runs every schedule of bound 0, then those with exactly one preemption, and so on: no
schedule twice. Of each finished schedule only its answers are kept; where it can be preempted is
worked out when the next bound is due.

A step of Trio ends at a checkpoint, so "could go on" means: the task that ran last is a candidate
again. A draw (fault, latency, data) is no preemption; all its values, if they are few enough, are
tried at every bound.
Moving time while tasks can run (``timers="choice"``) is one.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import attrs

from pyvirt_sim.engine.choosers.prefix import UNTRIED, expect_bound, values_to_try
from pyvirt_sim.engine.errors import SearchExhausted
from pyvirt_sim.engine.point import Point, RunStart
from pyvirt_sim.engine.record import Run
from pyvirt_sim.engine.tape import SCHEDULE

__all__ = ["PreemptionBound"]


@attrs.frozen
class _Finished:
    """The answers of one run.

    Attributes:
        values: the answers.
        continuing: by answer, which would have let the last task go on; -1 if none, -2 for a draw.
        bounds: how many candidates there were.
        timers: by answer, whether the last candidate was the timer.
        new_from: the first answer that no earlier run had at the end of the same answers.
    """

    values: array[int]
    continuing: array[int]
    bounds: array[int]
    timers: bytes
    new_from: int

    def preempted(self) -> Iterator[list[int]]:
        """Yield the beginnings with one preemption more."""
        for position in range(self.new_from, len(self.values)):
            going_on, bound = self.continuing[position], self.bounds[position]
            if going_on >= 0:
                others = [index for index in range(bound) if index != going_on]
            elif self.timers[position]:
                others = [bound - 1]
            else:
                continue
            for index in others:
                yield [*self.values[:position], index]


class PreemptionBound:
    """All schedules with no preemption, then with one, up to ``max_bound`` (None: without end).

    Attributes:
        bound: how many preemptions the schedules have that run now.
        schedules: how many have run, by bound; complete for all below ``bound``.
        exhausted_bound: the highest bound that is complete; -1 before the first is.
        is_cut: a draw had too many values to try them all.
    """

    def __init__(self, max_bound: int | None = None) -> None:
        if max_bound is not None and max_bound < 0:
            raise ValueError(f"max_bound must be at least 0, not {max_bound}")
        self.max_bound = max_bound
        self.bound = 0
        self.schedules = [0]
        self.exhausted_bound = -1
        self.is_cut = False
        whole: list[list[int]] = [[]]
        self._starts: Iterator[list[int]] = iter(whole)
        self._finished: list[_Finished] = []
        self._fixed = 0  # answers that belong to the beginning of this search tree
        self._prefix: list[int] | None = None  # None: the next beginning is due
        self._old_bounds: list[int] = []
        self._values: list[int] = []
        self._continuing: list[int] = []
        self._bounds: list[int] = []
        self._timers: list[bool] = []
        self._free: list[int] = []  # by answer: how many the search tries at no cost

    def start(self, _run: RunStart, /) -> None:
        """Take the next beginning.

        Raises:
            SearchExhausted: all schedules up to ``max_bound``, or all there are, have run.
        """
        if self._prefix is None:
            self._prefix = self._next_beginning()
            self._fixed = len(self._prefix)
            self._old_bounds = []
        self._values, self._continuing, self._bounds, self._timers = [], [], [], []
        self._free = []

    def _next_beginning(self) -> list[int]:
        while True:
            for beginning in self._starts:
                return beginning
            self.exhausted_bound = self.bound
            if not self._finished:
                raise SearchExhausted(
                    f"every schedule has run: {sum(self.schedules)} with up to "
                    f"{len(self.schedules) - 1} preemptions{UNTRIED * self.is_cut}",
                    is_complete=not self.is_cut,
                )
            if self.bound == self.max_bound:
                raise SearchExhausted(
                    f"every schedule with up to {self.bound} preemptions has run: "
                    f"{sum(self.schedules)} in all{UNTRIED * self.is_cut}",
                    is_complete=False,
                )
            self.bound += 1
            finished, self._finished = self._finished, []
            self._starts = (start for run in finished for start in run.preempted())
            self.schedules.append(0)

    def choose(self, point: Point, /) -> int:
        """Return the answer of the beginning, then let the last task go on where it can."""
        position = len(self._values)
        going_on = self._going_on(point)
        prefix = self._prefix or ()
        if position < len(prefix):
            if position < len(self._old_bounds):
                expect_bound(point, self._old_bounds[position])
            value = prefix[position]
        else:
            value = max(going_on, 0)
        self._values.append(value)
        self._continuing.append(going_on)
        self._bounds.append(point.bound)
        self._timers.append(point.has_timer)
        self._free.append(self._free_answers(point, going_on))
        return value

    def _free_answers(self, point: Point, going_on: int) -> int:
        if going_on == -2:
            self.is_cut = self.is_cut or values_to_try(point) < point.bound
            return values_to_try(point)
        return 1 if going_on >= 0 else point.bound - point.has_timer

    @staticmethod
    def _going_on(point: Point) -> int:
        """Return the index of the task that ran last; -1 if it cannot, -2 for a draw."""
        if point.stream != SCHEDULE:
            return -2
        if not point.order or point.order[-1] < 0:
            return -1
        try:
            return point.numbers.index(point.order[-1])
        except ValueError:
            return -1

    def finish(self, _result: Run | None, /) -> None:
        """Keep the answers, and find the next beginning in this search tree."""
        self.schedules[-1] += 1
        new_from = len(self._prefix or ())
        if any(c >= 0 for c in self._continuing[new_from:]) or any(self._timers[new_from:]):
            self._finished.append(
                _Finished(
                    array("i", self._values),
                    array("i", self._continuing),
                    array("i", self._bounds),
                    bytes(self._timers),
                    new_from,
                )
            )
        self._prefix = None
        for position in range(len(self._values) - 1, self._fixed - 1, -1):
            if self._values[position] + 1 < self._free[position]:
                self._prefix = [*self._values[:position], self._values[position] + 1]
                self._old_bounds = self._bounds[: position + 1]
                break

    def __repr__(self) -> str:
        return f"preemption bound {self.bound}, schedule {self.schedules[-1]}"
