"""The reduced search leaves out nothing but repetitions.

Tasks that read and write a counter in two steps: how many schedules there are, and how many of them
differ in the order of steps that depend on each other, can be counted by hand. `Exhaustive` must
run each of the former and `Dpor` one of each of the latter, and both must meet every outcome.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import attrs
import trio

from pyvirt_sim.engine.choosers import Dpor, Exhaustive
from pyvirt_sim.engine.footprint import Shared, labelled_only
from pyvirt_sim.engine.hunt import hunt
from pyvirt_sim.engine.point import Chooser
from pyvirt_sim.engine.record import Run
from pyvirt_sim.engine.selftest.check import Verdict

__all__ = ["CASES", "Case", "check"]

Program = Callable[[], Awaitable[list[int]]]


@attrs.frozen
class Case:
    """``tasks`` tasks add 1 to one of ``cells`` counters each, in turn.

    Attributes:
        schedules: the interleavings of so many pairs of steps: (2 n)! / 2^n.
        classes: two tasks on one counter can be ordered in four ways that differ: one after the
            other, twice; or both read first, and then either writes last.
    """

    tasks: int
    cells: int
    schedules: int
    classes: int


CASES: Final = (Case(2, 1, 6, 4), Case(3, 2, 90, 4), Case(3, 3, 90, 1))


def counters(case: Case) -> Program:
    """Return the program of a case."""

    async def program() -> list[int]:
        with labelled_only():
            values = [Shared(0) for _ in range(case.cells)]

            async def add(cell: Shared[int]) -> None:
                seen = cell.value
                await trio.lowlevel.checkpoint()
                cell.value = seen + 1

            async with trio.open_nursery() as nursery:
                for number in range(case.tasks):
                    nursery.start_soon(add, values[number % case.cells])
            return [cell.value for cell in values]

    return program


def _explore(program: Program, chooser: Chooser) -> tuple[int, set[str], bool]:
    outcomes: set[str] = set()

    def remember(run: Run) -> bool:
        outcomes.add(repr(run.unwrap()))
        return False

    result = hunt(program, chooser, 10_000, is_failure=remember)
    return result.schedules, outcomes, result.is_exhausted


def check() -> Verdict:
    """Search each case both ways."""
    problems: list[str] = []
    table: list[str] = []
    for case in CASES:
        program = counters(case)
        full, of_full, full_ended = _explore(program, Exhaustive())
        reduced, of_reduced, reduced_ended = _explore(program, Dpor())
        name = f"{case.tasks} tasks, {case.cells} counter{'s' * (case.cells > 1)}"
        table.append(
            f"{name}: {full} schedules, {reduced} by reduction, outcomes {sorted(of_full)}"
        )
        if not (full_ended and reduced_ended):
            problems.append(f"{name}: a search did not come to its end")
        if full != case.schedules:
            problems.append(f"{name}: {full} schedules, not {case.schedules}")
        if reduced != case.classes:
            problems.append(f"{name}: {reduced} runs by reduction, not {case.classes}")
        if of_reduced != of_full:
            problems.append(f"{name}: the reduction misses {sorted(of_full - of_reduced)}")
    total = sum(case.schedules for case in CASES)
    runs = sum(case.classes for case in CASES)
    return Verdict(
        f"{len(CASES)} programs, {total} schedules, {runs} runs by reduction, the same outcomes",
        tuple(problems),
        tuple(table),
    )
