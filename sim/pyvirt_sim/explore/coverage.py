"""Running a scenario under many schedules without stopping, and counting."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from pyvirt_sim.engine import Run, hunt
from pyvirt_sim.engine.choosers import Portfolio
from pyvirt_sim.explore.subject import Subject


@attrs.frozen(kw_only=True, eq=False)
class Coverage:
    """What was covered.

    Args:
        schedules: Runs made.
        distinct: How many different runs they were, by digest.
        steps: Task steps of all together.
        violations: Runs that failed.
        first: The first failing run, if any.
    """

    schedules: int
    distinct: int
    steps: int
    violations: int
    first: Run | None


def cover(
    subject: Subject,
    *,
    seed: int = 0,
    schedules: int,
    on_progress: Callable[[int, int], object] | None = None,
) -> Coverage:
    """Run ``subject`` under exactly ``schedules`` schedules of the default portfolio.

    Args:
        subject: The program under test.
        seed: Of the portfolio.
        schedules: How many runs.
        on_progress: Called after each run with how many are done and how many there will be.
    """
    digests: dict[str, None] = {}
    failures: list[Run] = []
    done = 0

    def count(run: Run) -> bool:
        nonlocal done
        done += 1
        digests[run.digest] = None
        if run.error is not None:
            failures.append(run)
        if on_progress is not None:
            on_progress(done, schedules)
        return False  # never stop: every schedule is run

    with subject.planted():
        result = hunt(subject.scenario.program, Portfolio(seed), schedules, is_failure=count)
    return Coverage(
        schedules=result.schedules,
        distinct=len(digests),
        steps=result.total_steps,
        violations=len(failures),
        first=failures[0] if failures else None,
    )
