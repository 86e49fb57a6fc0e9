"""Hunting a subject until it breaks a promise."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from pyvirt_sim.engine import Progress, hunt, shrink
from pyvirt_sim.engine.choosers import Portfolio
from pyvirt_sim.explore.finding import Finding, explain
from pyvirt_sim.explore.subject import Subject

DEFAULT_SCHEDULES = 1000


@attrs.frozen(kw_only=True, eq=False)
class HuntOutcome:
    """What a hunt did.

    Args:
        subject: What was hunted.
        seed: Seed of the portfolio.
        finding: The failure, shrunk and explained; ``None`` when there was none.
        found_by: The strategy that met it.
        schedules: How many schedules ran, the failing one included.
        steps: Their task steps together.
        deviations_before: Non-canonical decisions of the run as it was found.
        shrink_runs: How many runs it took to shrink it.
        members: What each strategy did, as a table.
    """

    subject: Subject
    seed: int
    finding: Finding | None
    found_by: str = ""
    schedules: int
    steps: int
    deviations_before: int = 0
    shrink_runs: int = 0
    members: str = ""


def hunt_subject(
    subject: Subject,
    *,
    seed: int = 0,
    schedules: int = DEFAULT_SCHEDULES,
    on_progress: Callable[[Progress], object] | None = None,
) -> HuntOutcome:
    """Run ``subject`` under up to ``schedules`` schedules until it fails.

    Args:
        subject: The program under test.
        seed: The same seed gives the same hunt, on any machine.
        schedules: How many at most.
        on_progress: Called after each passing run.

    Returns:
        What happened; a failure has been shrunk to the fewest deviations found.
    """
    program = subject.scenario.program
    with subject.planted():
        portfolio = Portfolio(seed)
        result = hunt(program, portfolio, schedules, on_progress=on_progress)
        shrunk = None if result.found is None else shrink(program, result.found)
    if shrunk is None:
        return HuntOutcome(
            subject=subject,
            seed=seed,
            finding=None,
            schedules=result.schedules,
            steps=result.total_steps,
            members=portfolio.report(),
        )
    return HuntOutcome(
        subject=subject,
        seed=seed,
        finding=explain(subject, shrunk.run),
        found_by=result.found_by,
        schedules=result.schedules,
        steps=result.total_steps,
        deviations_before=shrunk.before,
        shrink_runs=shrunk.executions,
        members=portfolio.report(),
    )
