"""Small racy programs that Hypothesis makes up, and the fewest deviations that each needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs
import trio
from hypothesis import strategies as st

from pyvirt_sim.engine import Replay, simulate

Program = Callable[[], Awaitable[None]]
Place = tuple[int, int]


class OrderError(AssertionError):
    """The events happened in the forbidden order."""


@attrs.frozen
class Recipe:
    """Tasks that log events after some pauses; it fails if each pair comes in the given order."""

    pauses: tuple[tuple[int, ...], ...]
    pairs: tuple[tuple[Place, Place], ...]
    uses_lock: bool

    def program(self) -> Program:
        async def run() -> None:
            log: list[Place] = []
            lock = trio.Lock()

            async def task(number: int) -> None:
                for index, count in enumerate(self.pauses[number]):
                    for _ in range(count):
                        await trio.lowlevel.checkpoint()
                    if self.uses_lock:
                        async with lock:
                            log.append((number, index))
                    else:
                        log.append((number, index))

            async with trio.open_nursery() as nursery:
                for number in range(len(self.pauses)):
                    nursery.start_soon(task, number)
            if all(log.index(first) < log.index(second) for first, second in self.pairs):
                raise OrderError

        return run


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    """Programs of two to four tasks with one to three constraints on the order of their events."""
    tasks = st.lists(st.integers(0, 3), min_size=1, max_size=3).map(tuple)
    pauses = draw(st.lists(tasks, min_size=2, max_size=4).map(tuple))
    events = [(number, index) for number, one in enumerate(pauses) for index in range(len(one))]
    event = st.sampled_from(events)
    pair = st.tuples(event, event).filter(lambda both: both[0][0] != both[1][0])
    pairs = draw(st.lists(pair, min_size=1, max_size=3).map(tuple))
    return Recipe(pauses, pairs, draw(st.booleans()))


def fewest_deviations(program: Program, limit: int, max_runs: int) -> int | None:
    """Return the fewest deviations with which ``program`` fails, by trying all schedules.

    None when more than ``limit`` are needed or it would take too many runs to tell.
    """
    empty = simulate(program).tape
    prefixes: list[tuple[int, ...]] = [()]
    left = max_runs
    for deviations in range(limit + 1):
        longer: list[tuple[int, ...]] = []
        for prefix in prefixes:
            left -= 1
            if left < 0:
                return None
            tape = empty.with_values({"schedule": prefix})
            run = simulate(program, chooser=Replay(tape, strict=False))
            if run.error is not None:
                return deviations
            for place in range(len(prefix), len(run.record.bounds)):
                gap = (0,) * (place - len(prefix))
                longer += [(*prefix, *gap, value) for value in range(1, run.record.bounds[place])]
        prefixes = longer
    return None
