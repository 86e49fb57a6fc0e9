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
touch; and with a Trio that cannot be watched nothing is learned, and priorities stay.
"""

from __future__ import annotations

from typing import Final

from pyvirt_sim.engine.choosers.basic import TIMER_CHANCE, RandomStreams
from pyvirt_sim.engine.footprint import UPDATE, WRITE
from pyvirt_sim.engine.footprint_collect import can_watch
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

    Args:
        seed: of the first execution.
    """

    def __init__(self, seed: int) -> None:
        self.streams = RandomStreams(seed)
        self._random = self.streams.schedule.random
        self._learned: dict[tuple[str, int], Touched] = {}
        self._learn_at = 1
        # By task number, in this run: steps taken, path, and of the next step the priority and what
        # it will touch.
        self._steps: list[int] = []
        self._paths: list[str] = []
        self._priorities: list[float] = []
        self._pending: list[Touched] = []
        self._by_label: dict[str, dict[int, int]] = {}  # who will touch it, and how
        self._seen = 0

    @property
    def wants_footprints(self) -> bool:
        """Whether this run is one to learn from."""
        return self.streams.execution + 1 >= self._learn_at and can_watch()

    def start(self, _run: RunStart, /) -> None:
        """Take the next seed."""
        self.streams.next_execution()
        self._steps, self._paths, self._seen = [], [], 0
        self._priorities, self._pending, self._by_label = [], [], {}

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
        numbers = point.numbers[: point.bound - 1] if point.has_timer else point.numbers
        best = max(numbers, key=priorities.__getitem__)
        for label, mode in self._pending[best].items():
            for number, other in self._by_label[label].items():
                if mode | other > UPDATE and number != best:
                    priorities[number] = random()
        return numbers.index(best)

    def _catch_up(self, point: Point) -> None:
        """Whoever took a step since the last choice, or was spawned, has another one before it."""
        steps, order = self._steps, point.order
        for number in range(len(steps), len(point.parents)):
            steps.append(0)
            self._paths.append(point.path(number))
            self._pending.append(NOTHING)
            self._priorities.append(0.0)
            self._expect(number)
        for number in order[self._seen :]:
            if number >= 0:
                steps[number] += 1
                self._expect(number)
        self._seen = len(order)

    def _expect(self, number: int) -> None:
        """Draw a priority for a task's next step, and look up what the step will touch."""
        self._priorities[number] = self._random()
        for label in self._pending[number]:
            del self._by_label[label][number]
        key = self._paths[number], self._steps[number]
        self._pending[number] = touched = self._learned.get(key, NOTHING)
        for label, mode in touched.items():
            self._by_label.setdefault(label, {})[number] = mode

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
            # With the task's own label, a step that cancels or wakes the task races with it.
            self._learned[step.path, nth] = {**step.touched, step.own_label: WRITE}

    def __repr__(self) -> str:
        return f"partial order sampling, seed {self.streams.seed + max(self.streams.execution, 0)}"
