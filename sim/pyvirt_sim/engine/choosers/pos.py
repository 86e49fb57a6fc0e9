"""Partial order sampling (Yuan, Yang, Gu, CAV 2018): random priorities that races draw anew.

Every next step of a task has a random priority, and the step of highest priority is taken. Then
those candidates whose next steps conflict with the step taken get new priorities. So the order in
which independent steps are taken, which makes no difference, does not weigh on the chances, and no
task keeps a low priority for long merely because it was unlucky once, as it would under PCT.

What a next step will touch is not known before it runs. It is taken from an earlier run: the
footprint of the same task's step of the same number, there. The first run is instrumented to learn
them (see `pyvirt_sim.engine.footprint`), and so are those after 2, 4, 8, ... runs; all others run
at full speed. A step never seen before is taken to touch what nobody else does. Nothing rests on
this being right, so steps that a proof would have to call open count with what they were seen to
touch.
"""

from __future__ import annotations

from typing import Final

from pyvirt_sim.engine.choosers.basic import TIMER_CHANCE, RandomStreams
from pyvirt_sim.engine.footprint import UPDATE, task_label
from pyvirt_sim.engine.point import Point, RunStart
from pyvirt_sim.engine.record import Run
from pyvirt_sim.engine.tape import SCHEDULE

__all__ = ["PartialOrderSampling"]

Touched = dict[str, int]
# Steps remembered, over all tasks. A program that spawns without end must not fill the memory.
MAX_REMEMBERED: Final = 100_000
NOTHING: Final[Touched] = {}


class PartialOrderSampling:
    """Random priorities, drawn anew where steps conflict; between PCT and a random walk.

    Execution n uses the seed ``seed + n`` and footprints learned before: a tape replays it, the
    seed alone does not.
    """

    def __init__(self, seed: int) -> None:
        self.streams = RandomStreams(seed)
        self._random = self.streams.schedule.random
        self._learned: dict[tuple[str, int], Touched] = {}
        self._learn_at = 1
        self._priorities: dict[int, float] = {}
        self._steps: list[int] = []  # by task number: steps taken in this run
        self._paths: list[str] = []
        self._seen = 0

    @property
    def wants_footprints(self) -> bool:
        """Whether this run is one to learn from."""
        return self.streams.execution + 1 >= self._learn_at

    def start(self, _run: RunStart, /) -> None:
        """Take the next seed."""
        self.streams.next_execution()
        self._priorities.clear()
        self._steps, self._paths, self._seen = [], [], 0

    def choose(self, point: Point, /) -> int:
        """Return the candidate of highest priority, and draw anew for those that race with it."""
        if point.stream != SCHEDULE:
            return self.streams.below(point.stream, point.bound)
        random, priorities = self._random, self._priorities
        if point.has_timer:
            if random() < TIMER_CHANCE:
                return point.bound - 1
            if point.bound == 2:
                return 0
        self._catch_up(point)
        numbers = point.numbers[: point.bound - point.has_timer]
        for number in numbers:
            if number not in priorities:
                priorities[number] = random()
        best = max(numbers, key=priorities.__getitem__)
        if self._learned:
            touched = self._next_touched(best)
            if touched:
                own = task_label(self._paths[best])
                for number in numbers:
                    if number != best and self._races(touched, own, number):
                        del priorities[number]
        return numbers.index(best)

    def _next_touched(self, number: int) -> Touched:
        return self._learned.get((self._paths[number], self._steps[number]), NOTHING)

    def _races(self, touched: Touched, own: str, number: int) -> bool:
        other = self._next_touched(number)
        if own in other or task_label(self._paths[number]) in touched:
            return True
        return any(
            label in touched and mode | touched[label] > UPDATE for label, mode in other.items()
        )

    def _catch_up(self, point: Point) -> None:
        """Count the steps since the last choice: whoever took one has another step before it."""
        steps, order = self._steps, point.order
        for number in range(len(steps), len(point.parents)):
            steps.append(0)
            self._paths.append(point.path(number))
        for number in order[self._seen :]:
            if number >= 0:
                steps[number] += 1
                self._priorities.pop(number, None)
        self._seen = len(order)

    def finish(self, result: Run | None, /) -> None:
        """Learn from an instrumented run."""
        if result is None or not result.footprints:
            return
        self._learn_at *= 2
        if len(self._learned) > MAX_REMEMBERED:
            self._learned.clear()
        taken: dict[str, int] = {}
        for step in result.footprints:
            nth = taken[step.path] = taken.get(step.path, -1) + 1
            self._learned[step.path, nth] = dict(step.touched)

    def __repr__(self) -> str:
        return f"partial order sampling, seed {self.streams.seed + max(self.streams.execution, 0)}"
