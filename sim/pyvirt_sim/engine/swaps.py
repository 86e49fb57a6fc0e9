"""Whether steps that are said to be independent are: swap them, and look whether anything changes.

What steps touch is partly declared (`labelled_only`, `touch`) and partly watched (`StateWatch`),
and a search by classes leaves out schedules that differ where a declaration is wrong. The engine
cannot prove a declaration, but it can catch it lying: in a finished run, two neighbouring steps of
different tasks with nothing in common are made to run the other way round. Everything must then be
as it was: who can run, what every step touches, how the program ends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import attrs

from pyvirt_sim.engine.choosers.races import depends
from pyvirt_sim.engine.errors import ReplayDivergedError
from pyvirt_sim.engine.footprint import Footprint
from pyvirt_sim.engine.point import Point, RunStart
from pyvirt_sim.engine.record import Run
from pyvirt_sim.engine.run import simulate
from pyvirt_sim.engine.tape import SCHEDULE

__all__ = ["FalseIndependence", "check_swaps"]


@attrs.frozen
class FalseIndependence:
    """Two steps that were said to have nothing in common, and what their swap changed."""

    first: Footprint
    second: Footprint
    change: str


class _Script:
    """A chooser that runs tasks in a given order, by their paths, and draws as a run did."""

    wants_footprints = True

    def __init__(self, paths: Sequence[str], run: Run) -> None:
        self._paths = paths
        self._draws = {name: iter(drawn) for name, drawn in run.record.draws.items()}

    def start(self, _run: RunStart, /) -> None:
        """Nothing is left to decide."""

    def choose(self, point: Point, /) -> int:
        """Answer as the script says; ends the run where it cannot be followed."""
        if point.stream != SCHEDULE:
            drawn = next(self._draws.get(point.stream, iter(())), None)
            if drawn is None or (drawn.label, drawn.bound) != (point.label, point.bound):
                raise ReplayDivergedError(f"another draw: {point.stream}/{point.label}")
            return drawn.value
        wanted = self._paths[point.step] if point.step < len(self._paths) else ""
        for index, number in enumerate(point.numbers):
            if point.path(number) == wanted:
                return index
        raise ReplayDivergedError(f"step {point.step}: {wanted or 'nothing'} cannot run")

    def finish(self, _result: Run | None, /) -> None:
        """Nothing is learned."""


def check_swaps(
    program: Callable[[], Awaitable[Any]], run: Run, first: int = 0, every: int = 1
) -> tuple[int, list[FalseIndependence]]:
    """Swap neighbouring independent steps of ``run``, one pair at a time.

    Args:
        program: What ran.
        run: One run of it, with footprints, under ``policy="any"`` and ``timers="idle"``.
        first: Number of the first step that may be swapped.
        every: Try only each so-manieth pair.

    Returns:
        How many pairs were swapped, and those of them that were not independent.
    """
    steps = run.footprints
    assert steps is not None, "the run was made with footprints"
    wrong: list[FalseIndependence] = []
    tried = 0
    for count, index in enumerate(_independent(steps, first)):
        if count % every:
            continue
        tried += 1
        before, after = steps[index], steps[index + 1]
        order = list(range(len(steps)))
        order[index : index + 2] = [index + 1, index]
        change = _change(program, run, [steps[number] for number in order])
        if change:
            wrong.append(FalseIndependence(before, after, change))
    return tried, wrong


def _independent(steps: Sequence[Footprint], first: int) -> Iterator[int]:
    for index in range(first, len(steps) - 1):
        one, other = steps[index], steps[index + 1]
        if one.path != other.path and not depends(one, other):
            yield index


def _change(program: Callable[[], Awaitable[Any]], run: Run, wanted: list[Footprint]) -> str:
    """What is different when the steps are taken in this order; empty when nothing is."""
    try:
        again = simulate(program, chooser=_Script([step.path for step in wanted], run))
    except ReplayDivergedError as error:
        return str(error)
    assert again.footprints is not None, "the script wants footprints"
    if repr(again.error) != repr(run.error):
        return f"it ends with {again.error!r} instead of {run.error!r}"
    for expected, seen in zip(wanted, again.footprints, strict=False):
        if seen.path != expected.path:
            return f"step {seen.index} is taken by {seen.path} instead of {expected.path}"
        if seen.touched != expected.touched:
            labels = {*seen.touched.items()} ^ {*expected.touched.items()}
            return f"step {seen.index} of {seen.path} touches other things: {sorted(labels)}"
    if len(again.footprints) != len(wanted):
        return f"it takes {len(again.footprints)} steps instead of {len(wanted)}"
    return ""
