"""Try every answer to every draw of a small program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from pyvirt_sim.engine import Point, Run, RunStart, simulate

T = TypeVar("T")


class _Odometer:
    """A chooser that counts through all answers, the last draw turning fastest."""

    def __init__(self) -> None:
        self._digits: list[int] = []
        self._bounds: list[int] = []
        self._place = 0

    def start(self, _run: RunStart, /) -> None:
        self._place = 0
        self._bounds = []

    def choose(self, point: Point, /) -> int:
        if self._place == len(self._digits):
            self._digits.append(0)
        self._bounds.append(point.bound)
        self._place += 1
        return self._digits[self._place - 1]

    def finish(self, _result: Run | None, /) -> None:
        pass

    def turn(self) -> bool:
        """Move to the next answers; False when all were tried."""
        del self._digits[self._place :]
        while self._digits:
            if self._digits[-1] + 1 < self._bounds[len(self._digits) - 1]:
                self._digits[-1] += 1
                return True
            self._digits.pop()
        return False


def every_outcome(body: Callable[[], T]) -> Iterator[T]:
    """Run ``body`` under every answer to its draws, the canonical one first."""
    outcomes: list[T] = []

    async def program() -> None:
        outcomes.append(body())

    odometer = _Odometer()
    is_going = True
    while is_going:
        run = simulate(program, chooser=odometer)
        if run.error is not None:
            raise run.error
        yield outcomes[-1]
        is_going = odometer.turn()
