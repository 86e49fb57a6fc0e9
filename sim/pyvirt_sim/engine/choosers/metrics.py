"""A wrapper that counts what another chooser does."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from pyvirt_sim.engine.choosers.wrapper import Wrapper
from pyvirt_sim.engine.point import Chooser, RunStart
from pyvirt_sim.engine.record import Run

__all__ = ["Metrics"]


class Metrics(Wrapper):
    """Counts runs, choices, steps and time of ``chooser``; decides nothing.

    Args:
        chooser: who decides.
        clock: seconds that pass; what it says is reported and never decides anything.

    Attributes:
        runs: runs that ended, those that failed included.
        failures: how many of them ended with an error.
        abandoned: runs that the chooser gave up, or in which it raised.
        choices: choices with more than one candidate, over the runs that ended.
        steps_min, steps_max: steps of the shortest and the longest run; 0 before the first.
        steps: steps of all runs together.
        elapsed_s: from ``start`` to ``finish``, over all runs: what the program did is in it.
    """

    def __init__(self, chooser: Chooser, clock: Callable[[], float] = perf_counter) -> None:
        super().__init__(chooser)
        self._clock = clock
        self.runs = self.failures = self.abandoned = 0
        self.choices = self.steps = self.steps_min = self.steps_max = 0
        self.elapsed_s = self._started_s = 0.0

    @property
    def steps_mean(self) -> float:
        """Steps of a run on average; 0 before the first."""
        return self.steps / self.runs if self.runs else 0.0

    def start(self, run: RunStart, /) -> None:
        """Start the clock; what the chooser does to prepare counts."""
        self._started_s = self._clock()
        super().start(run)

    def finish(self, result: Run | None, /) -> None:
        """Count; what the chooser does to learn counts."""
        try:
            super().finish(result)
        finally:
            self.elapsed_s += self._clock() - self._started_s
            if result is None:
                self.abandoned += 1
            else:
                self._count(result)

    def _count(self, run: Run) -> None:
        self.steps_min = min(self.steps_min, run.steps) if self.runs else run.steps
        self.steps_max = max(self.steps_max, run.steps)
        self.runs += 1
        self.failures += run.error is not None
        self.choices += run.choices
        self.steps += run.steps

    def __str__(self) -> str:
        return (
            f"{self.runs} runs ({self.failures} failed, {self.abandoned} abandoned), "
            f"{self.choices} choices, steps {self.steps_min}/{self.steps_mean:.1f}/"
            f"{self.steps_max} (least/mean/most), {self.elapsed_s:.3f} s"
        )
