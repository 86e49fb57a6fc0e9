"""All that can be said of one failing run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import attrs

from pyvirt_sim.engine.choosers.basic import Canonical
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

__all__ = ["BATCH_SCHEDULES", "Explanation", "Reachable", "explain"]

Program = Callable[[], Awaitable[Any]]

BATCH_SCHEDULES: Final = 300
"""Schedules tried to answer "reachable with today's Trio scheduler"."""
QUIET_SCHEDULES: Final = 200
"""Schedules tried to find any passing run when the canonical one and all neighbours fail."""


@attrs.frozen
class Reachable:
    """Whether the policy of today's Trio, ``batch``, comes to the same failure.

    Attributes:
        schedule: which schedule met it: 0 when the failing run is one of that policy, or the same
            decisions do it; None when it was not met.
        tried: how many schedules were tried.
        is_complete: those were all schedules there are, so that "not met" means "never".
    """

    schedule: int | None
    tried: int
    is_complete: bool


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
        reachable: whether today's Trio can come to the same failure.
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
    reachable: Reachable
    executions: int


def explain(program: Program, run: Run, *, max_steps: int = 100_000) -> Explanation:
    """Replay a failing ``run`` of ``program`` and find out what is in it.

    Args:
        program: the program that ``run`` came from.
        run: a run that ended with an error, best one that was shrunk.
        max_steps: as for `simulate`.

    Returns:
        What was found out; `explanation_as_text` makes one screen of it.

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
        reachable=_reachable(subject, deviations),
        executions=subject.executions,
    )


def _quiet(subject: Subject, nearest: Neighbour | None) -> Run | None:
    """A passing run to compare with, made with details."""
    canonical = subject.simulate(Canonical(), detail=True)
    if canonical.error is None:
        return canonical
    if nearest is not None:
        return nearest.run
    passing, _, _ = subject.search(lambda run: run.error is None, QUIET_SCHEDULES)
    return None if passing is None else subject.simulate(Replay(passing.tape), detail=True)


def _reachable(subject: Subject, deviations: Sequence[Deviation]) -> Reachable:
    if subject.policy == "batch":
        return Reachable(0, 0, False)
    if subject.is_failure(subject.simulate(Directed(deviations), policy="batch")):
        return Reachable(0, 1, False)
    subject.steps_left = max(subject.steps_left, MAX_STEPS // 2)
    found, tried, is_complete = subject.search(subject.is_failure, BATCH_SCHEDULES, "batch")
    return Reachable(None if found is None else tried, tried, is_complete)
