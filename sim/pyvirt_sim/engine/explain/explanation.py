"""All that can be said of one failing run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import attrs

from pyvirt_sim.engine.choosers.basic import Canonical
from pyvirt_sim.engine.choosers.portfolio import Portfolio
from pyvirt_sim.engine.choosers.replay import Replay
from pyvirt_sim.engine.deviation import Deviation, Directed, Witness
from pyvirt_sim.engine.errors import ReplayDivergedError
from pyvirt_sim.engine.explain.conflict import (
    Conflict,
    Neighbour,
    find_conflict,
    undo_each,
)
from pyvirt_sim.engine.explain.rows import Row, rows_of
from pyvirt_sim.engine.explain.subject import MAX_STEPS, Subject
from pyvirt_sim.engine.record import Run

__all__ = ["BATCH_SCHEDULES", "Explanation", "explain"]

Program = Callable[[], Awaitable[Any]]

BATCH_SCHEDULES: Final = 300
"""Schedules tried to answer "reachable with today's Trio scheduler"."""
QUIET_SCHEDULES: Final = 200
"""Schedules tried to find any passing run when the canonical one and all neighbours fail."""


@attrs.frozen(kw_only=True, eq=False)
class Explanation:
    """What is known of a failure.

    Attributes:
        run: the failing run, with details.
        error: the failure.
        deviations: the decisions out of turn, and the draws that were not the plain ones.
        conflict: the two steps whose order decides; None when no single pair does.
        nearest: the passing run most like the failing one; None when none was found.
        quiet: a passing run to compare the whole schedule with: the canonical one if it passes,
            else the nearest; None when no passing run was found.
        rows: the failing schedule; lines that the quiet run lacks are marked.
        quiet_rows: the quiet run's schedule, compared with the failing one.
        deciding_draws: draws without any of which, taken alone, the run passes.
        batch_schedule: which schedule met the same failure under the policy of today's Trio: 0 when
            the run itself is one, or the same decisions do it; None when it was not met.
        batch_tried: how many schedules were tried to find that out.
        executions: how many runs it took to explain.
    """

    run: Run
    error: BaseException
    deviations: tuple[Deviation, ...]
    conflict: Conflict | None
    nearest: Neighbour | None
    quiet: Run | None
    rows: tuple[Row, ...]
    quiet_rows: tuple[Row, ...]
    deciding_draws: tuple[Deviation, ...]
    batch_schedule: int | None
    batch_tried: int
    executions: int


def explain(program: Program, run: Run, *, max_steps: int = 100_000) -> Explanation:
    """Replay a failing ``run`` of ``program`` and find out what is in it.

    Args:
        program: the program that ``run`` came from.
        run: a run that ended with an error, best one that was shrunk.
        max_steps: as for `simulate`.

    Raises:
        ValueError: ``run`` did not fail.
        ReplayDivergedError: ``run`` does not replay: the program is not deterministic.
    """
    if run.error is None:
        raise ValueError("the run to explain does not fail")
    subject = Subject.of(program, run, max_steps)
    witness = Witness(Replay(run.tape))
    detailed = subject.simulate(witness, detail=True)
    if detailed.digest != run.digest:
        raise ReplayDivergedError(
            "the run took the same choices again and did something else: the program is not "
            "deterministic"
        )
    deviations = witness.deviations
    conflict = find_conflict(subject, detailed, deviations)
    nearest, draws = undo_each(subject, detailed, deviations)
    if conflict is not None:
        nearest = conflict.neighbour
    quiet = _quiet(subject, nearest)
    batch = _batch_schedule(subject, deviations)
    return Explanation(
        run=detailed,
        error=run.error,
        deviations=tuple(deviations),
        conflict=conflict,
        nearest=nearest,
        quiet=quiet,
        rows=rows_of(detailed, quiet, deviations),
        quiet_rows=() if quiet is None else rows_of(quiet, detailed),
        deciding_draws=tuple(draws),
        batch_schedule=batch[0],
        batch_tried=batch[1],
        executions=subject.executions,
    )


def _quiet(subject: Subject, nearest: Neighbour | None) -> Run | None:
    """A passing run to compare with, made with details."""
    canonical = subject.simulate(Canonical(), detail=True)
    if canonical.error is None:
        return canonical
    if nearest is not None:
        return nearest.run
    searching = Portfolio(0)
    for _ in range(QUIET_SCHEDULES):
        run = subject.simulate(searching)
        if run.error is None:
            return subject.simulate(Replay(run.tape), detail=True)
        if subject.steps_left < 0:
            break
    return None


def _batch_schedule(subject: Subject, deviations: Sequence[Deviation]) -> tuple[int | None, int]:
    """Return which schedule under the policy ``batch`` met the failure, and how many were tried."""
    if subject.policy == "batch":
        return 0, 0
    if subject.is_failure(subject.simulate(Directed(deviations), policy="batch")):
        return 0, 1
    subject.steps_left = max(subject.steps_left, MAX_STEPS // 2)
    searching = Portfolio(0)
    for number in range(1, BATCH_SCHEDULES + 1):
        if subject.is_failure(subject.simulate(searching, policy="batch")):
            return number, number
        if subject.steps_left < 0:
            return None, number
    return None, BATCH_SCHEDULES
