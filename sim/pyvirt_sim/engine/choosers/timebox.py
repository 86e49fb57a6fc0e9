"""A wrapper that stops a search when its time is up."""

from __future__ import annotations

from collections.abc import Callable

from pyvirt_sim.engine.choosers.wrapper import Wrapper
from pyvirt_sim.engine.errors import TimeBoxExpired
from pyvirt_sim.engine.point import Chooser, RunStart

__all__ = ["TimeBox"]


class TimeBox(Wrapper):
    """Offers no further run once ``budget_s`` seconds have passed since the first one began.

    A run that has begun is finished. This is the one place in the engine where a clock decides
    something, and all it decides is how many runs there are: each is as it would be without. So
    the clock is the caller's, and must be named: ``TimeBox(Portfolio(), 60, time.monotonic)``.

    Args:
        chooser: who decides.
        budget_s: seconds; at least one run is made, however few they are.
        clock: returns seconds from any fixed moment.
    """

    def __init__(self, chooser: Chooser, budget_s: float, clock: Callable[[], float]) -> None:
        super().__init__(chooser)
        if not budget_s >= 0:
            raise ValueError(f"budget_s must be at least 0, not {budget_s}")
        self.budget_s = budget_s
        self._clock = clock
        self._end_s: float | None = None
        self._runs = 0

    def start(self, run: RunStart, /) -> None:
        """Prepare for the next run.

        Raises:
            TimeBoxExpired: the time is up.
            SearchEnded: the chooser inside has no further run.
        """
        now = self._clock()
        if self._end_s is None:
            self._end_s = now + self.budget_s
        elif now >= self._end_s:
            raise TimeBoxExpired(f"the {self.budget_s:g} s are up, after {self._runs} runs")
        super().start(run)
        self._runs += 1
