"""Uniform random walk: every *interleaving* with the same chance, not every choice.

A random walk is far from uniform over schedules: while one task has a hundred steps before it and
another has two, a fair coin per choice all but forbids that the short one comes late. Weighing
each candidate by the steps it still has before it, children that it will spawn included, makes
all interleavings of independent tasks equally likely (Zhao, Wolff, Mathur, Roychoudhury,
"Selectively Uniform Concurrency Testing", ASPLOS 2025, call it URW).

How many steps there are is counted in earlier runs: the first one is a plain random walk, and the
counts are renewed after 2, 4, 8, ... runs, so that learning costs next to nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from itertools import accumulate
from typing import Final

from pyvirt_sim.engine.choosers.basic import TIMER_CHANCE, RandomStreams
from pyvirt_sim.engine.point import Point, RunStart
from pyvirt_sim.engine.record import Run
from pyvirt_sim.engine.tape import SCHEDULE

__all__ = ["UniformWalk"]

# What a task weighs that was never seen, or that goes on for longer than it ever did.
UNKNOWN_STEPS: Final = 1


class UniformWalk:
    """Candidates weighed by the steps still before them; best where tasks differ in length.

    Execution n uses the seed ``seed + n`` and what was counted before: a tape replays it, the seed
    alone does not.

    Args:
        seed: of the first execution.
    """

    def __init__(self, seed: int) -> None:
        self.streams = RandomStreams(seed)
        self._random = self.streams.schedule.random
        # By path: steps of the task and of all its descendants, from the last counted run.
        self._steps: dict[str, int] = {}
        # By task number, in this run: steps still before it, and what it weighs for that.
        self._left: list[int] = []
        self._weights: list[int] = []
        self._seen = 0
        self._probe_at = 1

    def start(self, _run: RunStart, /) -> None:
        """Take the next seed."""
        self.streams.next_execution()
        self._left, self._weights, self._seen = [], [], 0

    def choose(self, point: Point, /) -> int:
        """Return a random candidate, weighed by what is left of it."""
        if point.stream != SCHEDULE:
            return self.streams.below(point.stream, point.bound)
        count = point.bound
        if point.has_timer:
            if self._random() < TIMER_CHANCE:
                return count - 1
            count -= 1
        if not self._steps:
            return int(self._random() * count)
        self._catch_up(point)
        numbers = point.numbers[:count]
        sums = list(accumulate(map(self._weights.__getitem__, numbers)))
        return bisect_right(sums, self._random() * sums[-1])

    def _catch_up(self, point: Point) -> None:
        """Subtract the steps and the children since the last choice."""
        left, parents, order = self._left, point.parents, point.order
        changed = [number for number in order[self._seen :] if number >= 0]
        for number in range(len(left), len(parents)):
            steps = self._steps.get(point.path(number), UNKNOWN_STEPS)
            left.append(steps)
            self._weights.append(steps)
            if parents[number] >= 0:
                left[parents[number]] -= steps
                changed.append(parents[number])
        for number in order[self._seen :]:
            if number >= 0:
                left[number] -= 1
        for number in changed:
            self._weights[number] = max(left[number], UNKNOWN_STEPS)
        self._seen = len(order)

    def finish(self, result: Run | None, /) -> None:
        """Count the steps of the run, now and then."""
        if result is None or self.streams.execution + 1 < self._probe_at:
            return
        self._probe_at *= 2
        record = result.record
        own = Counter(record.order)
        steps = [own[number] for number in range(len(record.parents))]
        for number in range(len(steps) - 1, 0, -1):  # a parent has a lower number than its child
            if record.parents[number] >= 0:
                steps[record.parents[number]] += steps[number]
        for number, count in enumerate(steps):
            self._steps[record.path(number)] = count

    def __repr__(self) -> str:
        return f"uniform walk, seed {self.streams.seed + max(self.streams.execution, 0)}"
