"""Which two steps must not come in this order? And the passing run that shows it.

A shrunk failure has few decisions out of turn, but many steps may follow each of them before the
task that was passed over comes at last. Which of those steps makes the difference? Somewhere
between "right at the decision" and "when it came in the failing run" letting that task in one step
earlier turns failure into success, and a binary search finds such a place. The two steps that
change places there are the pair whose order decides, and the passing run is the same as the failing
one up to it.

The method is experiment, not inference: both orders were run. What it says is true of these two
runs; there may be other pairs, in other schedules.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from pyvirt_sim.engine.deviation import Deviation, Directed, Surveyor, turns_of
from pyvirt_sim.engine.explain.subject import Subject
from pyvirt_sim.engine.point import TIMER, Point
from pyvirt_sim.engine.record import Run, Step
from pyvirt_sim.engine.tape import SCHEDULE

__all__ = ["Conflict", "Neighbour", "find_conflict", "undo_each"]

MAX_FLIPS: Final = 200
"""Single other decisions that are tried to find a passing run, the latest first."""


@attrs.frozen(eq=False)
class Neighbour:
    """A passing run that is the same as the failing one up to one step.

    Attributes:
        run: the passing run, with details.
        step: number of the first step that differs.
        failing: that step in the failing run; None if the failing run had ended.
        passing: that step in the passing run.
    """

    run: Run
    step: int
    failing: Step | None
    passing: Step


@attrs.frozen(eq=False)
class Conflict:
    """The two steps whose order decides.

    Attributes:
        first: the step that comes first in the failing run.
        second: the one that must have come before it: in the passing run it does, right before.
            Its ``index`` is that in the passing run.
        neighbour: the passing run.
        runs: how many runs it took to find out.
    """

    first: Step
    second: Step
    neighbour: Neighbour
    runs: int


class _LetIn(Directed):
    """The given deviations, except that one task is let in at a certain step."""

    def __init__(self, wanted: Sequence[Deviation], step: int, path: str) -> None:
        super().__init__(wanted)
        self.step = step
        self.path = path
        self._is_done = False

    def start(self, run: object, /) -> None:
        """Begin again."""
        super().start(run)  # type: ignore[arg-type]
        self._is_done = False

    def choose(self, point: Point, /) -> int:
        """Let the task in at its step, else answer as the deviations say."""
        index = super().choose(point)
        if self._is_done or point.stream != SCHEDULE or point.step < self.step:
            return index
        names = point.names
        if self.path not in names:
            return index
        self._is_done = True
        return names.index(self.path)


def find_conflict(
    subject: Subject, failing: Run, deviations: Sequence[Deviation]
) -> Conflict | None:
    """Find the pair of steps whose order decides in ``failing``.

    Args:
        subject: the program, and what counts as the failure.
        failing: the failing run, with details.
        deviations: all its deviations.
    """
    before = subject.executions
    for step, path in _candidates(subject, failing, deviations):
        found = _isolate(subject, failing, deviations, step, path)
        if found is not None:
            first, neighbour = found
            return Conflict(first, neighbour.passing, neighbour, subject.executions - before)
    return None


def _candidates(
    subject: Subject, failing: Run, deviations: Sequence[Deviation]
) -> Iterator[tuple[int, str]]:
    """Yield steps of the failing run, and a task that could run there and came later.

    First what the decisions out of turn passed over; then, as a run that fails on the canonical
    schedule has none, every alternative that the run had, the latest first.
    """
    surveyor = Surveyor(Directed(deviations))
    subject.simulate(surveyor)
    offers = dict(surveyor.offers)
    for deviation in reversed(deviations):
        if deviation.stream == SCHEDULE:
            passed = offers[deviation.step][: deviation.index]
            yield from ((deviation.step, failing.record.path(number)) for number in passed)
    flips = 0
    for step, numbers in reversed(surveyor.offers):
        for number in numbers:
            if number == failing.record.order[step] or failing.record.path(number) == TIMER:
                continue
            flips += 1
            if flips > MAX_FLIPS or subject.steps_left < 0:
                return
            yield step, failing.record.path(number)


def _isolate(
    subject: Subject, failing: Run, deviations: Sequence[Deviation], step: int, path: str
) -> tuple[Step, Neighbour] | None:
    """Search for the place where letting ``path`` in one step earlier makes the run pass."""

    def let_in(at: int, *, detail: bool = False) -> Run:
        return subject.simulate(_LetIn(deviations, at, path), detail=detail)

    if let_in(step).error is not None:
        return None
    passes, fails = step, _next_step_of(failing, path, step)
    while fails - passes > 1:
        middle = (passes + fails) // 2
        if let_in(middle).error is None:
            passes = middle
        else:
            fails = middle
    run = let_in(passes, detail=True)
    neighbour = neighbour_of(failing, run)
    if neighbour is None or neighbour.failing is None:
        return None
    return neighbour.failing, neighbour


def _next_step_of(run: Run, path: str, after: int) -> int:
    """Return the next step of a task, or the end of the run if it takes none."""
    order = run.record.order
    for step in range(after, len(order)):
        if run.record.path(order[step]) == path:
            return step
    return len(order)


def neighbour_of(failing: Run, passing: Run) -> Neighbour | None:
    """Compare two runs with details; None if the passing one does nothing of its own."""
    mine, other = _moves(failing), _moves(passing)
    same = next(
        (i for i, pair in enumerate(zip(mine, other, strict=False)) if pair[0] != pair[1]),
        min(len(mine), len(other)),
    )
    if same >= len(other):
        return None
    step = failing.trace[same] if same < len(mine) else None
    return Neighbour(passing, same, step, passing.trace[same])


def _moves(run: Run) -> list[tuple[str, int]]:
    turns, path = turns_of(run)
    return [(path(number), turn) for number, turn in zip(run.record.order, turns, strict=True)]


def undo_each(
    subject: Subject, failing: Run, deviations: Sequence[Deviation]
) -> tuple[Neighbour | None, list[Deviation]]:
    """Undo each deviation alone.

    Returns:
        The passing run most like the failing one, and the draws without which it passes.
    """
    best: Neighbour | None = None
    deciding: list[Deviation] = []
    for place, deviation in enumerate(deviations[:MAX_FLIPS]):
        kept = [*deviations[:place], *deviations[place + 1 :]]
        run = subject.simulate(Directed(kept), detail=True)
        if run.error is not None:
            continue
        if deviation.stream != SCHEDULE:
            deciding.append(deviation)
        neighbour = neighbour_of(failing, run)
        if neighbour is not None and (best is None or neighbour.step > best.step):
            best = neighbour
    return best, deciding
