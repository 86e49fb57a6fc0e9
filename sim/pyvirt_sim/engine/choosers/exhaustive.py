"""Every schedule, one after the other: the yardstick of the cleverer searches, and small proofs.

An odometer: the answers of the last run are kept; the next run repeats all but the last answer
that can still be raised, raises it, and takes the canonical answer from there on. Draws are turned
like schedule choices, unless they have more than `MAX_VALUES` values. The number of schedules
grows exponentially with the length of the program; `Dpor` covers the same with one run per class of
equivalent schedules.
"""

from __future__ import annotations

from pyvirt_sim.engine.choosers.prefix import UNTRIED, expect_bound, values_to_try
from pyvirt_sim.engine.errors import SearchExhausted
from pyvirt_sim.engine.point import Point, RunStart
from pyvirt_sim.engine.record import Run
from pyvirt_sim.engine.tape import SCHEDULE

__all__ = ["Exhaustive"]


class Exhaustive:
    """Depth-first search over all answers.

    Attributes:
        runs: how many have finished.
        is_cut: a draw had too many values to try them all.
    """

    def __init__(self) -> None:
        self.runs = 0
        self.is_cut = False
        self._values: list[int] = []
        self._tries: list[int] = []  # how many answers to try, where there are `_bounds`
        self._bounds: list[int] = []
        self._position = 0
        self._has_begun = False

    def start(self, _run: RunStart, /) -> None:
        """Turn the odometer.

        Raises:
            SearchExhausted: every schedule has run.
        """
        if self._has_begun:
            self._turn()
        self._has_begun = True
        self._position = 0

    def _turn(self) -> None:
        values, tries = self._values, self._tries
        columns = values, tries, self._bounds
        for column in columns:
            del column[self._position :]
        while values and values[-1] + 1 == tries[-1]:
            for column in columns:
                column.pop()
        if not values:
            self._position = 0
            raise SearchExhausted(
                f"every schedule has run: {self.runs} in all{UNTRIED * self.is_cut}",
                is_complete=not self.is_cut,
            )
        values[-1] += 1

    def choose(self, point: Point, /) -> int:
        """Return what the odometer says; 0 beyond its end."""
        position = self._position
        self._position += 1
        if position < len(self._values):
            expect_bound(point, self._bounds[position])
            return self._values[position]
        tries = point.bound if point.stream == SCHEDULE else values_to_try(point)
        self.is_cut = self.is_cut or tries < point.bound
        self._values.append(0)
        self._tries.append(tries)
        self._bounds.append(point.bound)
        return 0

    def finish(self, _result: Run | None, /) -> None:
        """Count."""
        self.runs += 1

    def __repr__(self) -> str:
        return f"exhaustive search, schedule {self.runs}"
