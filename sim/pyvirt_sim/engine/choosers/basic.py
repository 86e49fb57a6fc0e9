"""The plain choosers: the canonical schedule, a random walk, and answers drawn from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from pyvirt_sim.engine.fence.gate import outside
from pyvirt_sim.engine.point import Point, RunStart
from pyvirt_sim.engine.record import Run
from pyvirt_sim.engine.tape import SCHEDULE

__all__ = ["TIMER_CHANCE", "Canonical", "Drawn", "RandomStreams", "RandomWalk"]

# Chance that a random chooser lets time move while tasks can run. High enough to meet every
# timeout within a few runs, low enough that programs still get their work done before it.
TIMER_CHANCE: Final = 0.05


class RandomStreams:
    """One independent generator per stream, re-seeded for each execution with seed + execution."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.execution = -1
        self.schedule = Random()
        self._others: dict[str, Random] = {}

    def next_execution(self) -> None:
        """Start over with the seed of the next execution."""
        self.execution += 1
        self.schedule.seed(self.seed + self.execution)
        self._others.clear()

    def below(self, stream: str, bound: int) -> int:
        """Return a number below ``bound`` from the generator of ``stream``."""
        generator = self._others.get(stream)
        if generator is None:
            # A string seed is hashed with SHA-512, so that no stream resembles another.
            generator = self._others[stream] = Random(f"{stream} {self.seed + self.execution}")
        return int(generator.random() * bound)


class Canonical:
    """Always the first candidate: the task runnable longest, no fault, no delay."""

    def start(self, _run: RunStart, /) -> None:
        """Nothing to prepare."""

    def choose(self, _point: Point, /) -> int:
        """Return 0."""
        return 0

    def finish(self, _result: Run | None, /) -> None:
        """Nothing to learn."""

    def __repr__(self) -> str:
        return "canonical"


class RandomWalk:
    """Every candidate with the same chance; best for shallow races.

    Execution n of this chooser uses the seed ``seed + n``.

    Args:
        seed: any number; the same one gives the same walks.
    """

    def __init__(self, seed: int) -> None:
        self.streams = RandomStreams(seed)
        self._random = self.streams.schedule.random

    def start(self, _run: RunStart, /) -> None:
        """Take the next seed."""
        self.streams.next_execution()

    def choose(self, point: Point, /) -> int:
        """Return a random index."""
        if point.stream != SCHEDULE:
            return self.streams.below(point.stream, point.bound)
        if point.has_timer:
            if self._random() < TIMER_CHANCE:
                return point.bound - 1
            return int(self._random() * (point.bound - 1))
        return int(self._random() * point.bound)

    def finish(self, _result: Run | None, /) -> None:
        """Nothing to learn."""

    def __repr__(self) -> str:
        return f"random walk, seed {self.streams.seed + max(self.streams.execution, 0)}"


class Drawn:
    """Answers drawn from another source of choices, typically Hypothesis.

    ``draw`` gets a bound and returns a number below it, for example
    ``lambda bound: data.draw(st.integers(0, bound - 1))``. It may raise to end the example.
    """

    def __init__(self, draw: Callable[[int], int]) -> None:
        self._draw = draw

    def start(self, _run: RunStart, /) -> None:
        """Nothing to prepare."""

    def choose(self, point: Point, /) -> int:
        """Return what the source says."""
        with outside():
            return self._draw(point.bound)

    def finish(self, _result: Run | None, /) -> None:
        """Nothing to learn."""

    def __repr__(self) -> str:
        return "drawn"
