"""Probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi, Nagarakatte, ASPLOS 2010).

Each task gets a random priority when first seen, and the runnable task of highest priority
always runs. At ``depth - 1`` random moments the running task falls to the lowest priority. A bug
that needs ``depth`` ordering constraints among n tasks and k choices is hit with a probability of
at least 1 / (n * k**(depth - 1)) in each run. Where a random walk would have to be lucky again
and again, this starves one task for as long as it takes.
"""

from __future__ import annotations

from pyvirt_sim.engine.choosers.basic import TIMER_CHANCE, RandomStreams
from pyvirt_sim.engine.point import Point, RunStart
from pyvirt_sim.engine.record import Run
from pyvirt_sim.engine.tape import SCHEDULE

__all__ = ["Pct"]


class Pct:
    """Priorities with ``depth - 1`` change points; best for bugs where one task must starve.

    The horizon (how many choices a run has, the k above) is measured, and counts only points where
    there is a choice. It grows to a longer run at once, and shrinks slowly: one run that went
    astray would otherwise leave all later ones without change points.

    Args:
        seed: execution n uses the seed ``seed + n``, and the horizon measured before.
        depth: how many ordering constraints the bug has: one more than there are change points.
        horizon: choices of a run, as a first guess.

    Raises:
        ValueError: ``depth`` or ``horizon`` is below 1.
    """

    def __init__(self, seed: int, depth: int = 3, horizon: int = 32) -> None:
        if depth < 1 or horizon < 1:
            raise ValueError("depth and horizon must be at least 1")
        self.depth = depth
        self.horizon = horizon
        self.streams = RandomStreams(seed)
        self._random = self.streams.schedule
        self._priorities: list[float] = []  # by task number
        self._change_points: set[int] = set()
        self._choices = 0
        self._lowest = 0

    def start(self, _run: RunStart, /) -> None:
        """Draw new change points from the next seed."""
        self.streams.next_execution()
        self._priorities.clear()
        count = min(self.depth - 1, self.horizon)
        self._change_points = set(self._random.sample(range(self.horizon), count))
        self._choices = self._lowest = 0

    def choose(self, point: Point, /) -> int:
        """Return the candidate of highest priority."""
        if point.stream != SCHEDULE:
            return self.streams.below(point.stream, point.bound)
        if point.has_timer:
            # Time is not a task: with a high priority it would starve all of them.
            if self._random.random() < TIMER_CHANCE:
                return point.bound - 1
            if point.bound == 2:
                return 0
        priorities = self._priorities
        for _ in range(len(priorities), len(point.parents)):  # tasks spawned since
            priorities.append(1.0 + self._random.random())
        numbers = point.numbers[: point.bound - 1] if point.has_timer else point.numbers
        best = max(numbers, key=priorities.__getitem__)
        if self._choices in self._change_points:
            self._lowest -= 1
            priorities[best] = self._lowest
            best = max(numbers, key=priorities.__getitem__)
        self._choices += 1
        return numbers.index(best)

    def finish(self, _result: Run | None, /) -> None:
        """Follow the length of the runs."""
        self.horizon = max(self._choices, (7 * self.horizon + self._choices) // 8, 1)

    def __repr__(self) -> str:
        seed = self.streams.seed + max(self.streams.execution, 0)
        return f"PCT depth {self.depth}, seed {seed}"
