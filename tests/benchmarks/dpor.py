"""How many runs the reduction saves, and that it saves no more than it may.

Each program is searched twice. The full search makes every schedule; from its runs alone the
classes of equivalent schedules are worked out, by the order of each pair of dependent steps. The
reduction must make one run per class: fewer would miss behaviours, more would repeat some.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pyvirt_sim.engine import Dpor, Exhaustive, hunt
from tests.benchmarks.table import Row
from tests.sim.engine.choosers.classes import Watching, class_of
from tests.sim.engine.choosers.reducible import counters, handover, timeout_and_cancel

Program = Callable[[], Awaitable[Any]]

PROGRAMS: dict[str, Program] = {
    "channel handover with a bystander": handover(1),
    "two pairs on two counters": counters(4, 2),
    "answer, timeout or cancellation": timeout_and_cancel,
}


def count(program: Program) -> tuple[int, int, int]:
    """Return how many runs the reduction makes, how many the full search, and the classes."""
    found: list[set[int]] = []
    runs: list[int] = []
    for chooser in (Dpor(), Watching(Exhaustive())):
        classes: set[int] = set()

        def remember(run: Any, classes: set[int] = classes) -> bool:
            classes.add(class_of(run))
            return False

        result = hunt(program, chooser, 1_000_000, is_failure=remember)
        if not result.is_exhausted:
            raise RuntimeError(f"{chooser!r} did not finish")
        found.append(classes)
        runs.append(result.schedules + result.redundant)
    if found[0] != found[1]:
        raise RuntimeError(f"the reduction saw {len(found[0])} of {len(found[1])} classes")
    return runs[0], runs[1], len(found[1])


def rows() -> list[Row]:
    """Search the programs; the ratio is how many runs of the full search one run stands for."""
    measured: list[Row] = []
    for name, program in PROGRAMS.items():
        reduced, full, classes = count(program)
        aim = f"{reduced} runs = {classes} classes"
        row = Row(f"DPOR, {name}", reduced, "runs", "every schedule", full, full / reduced, aim)
        measured.append(row)
    return measured


if __name__ == "__main__":
    for row in rows():
        print(row)
