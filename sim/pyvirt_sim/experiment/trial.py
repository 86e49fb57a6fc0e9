"""One trial: one mutant, one strategy, one seed, until the bug shows or the budget is spent."""

from __future__ import annotations

import time
from typing import Final

import attrs

from pyvirt_sim.engine import hunt, shrink
from pyvirt_sim.engine.choosers.named import CHOOSERS, chooser_named
from pyvirt_sim.engine.explain import explain
from pyvirt_sim.experiment import baselines
from pyvirt_sim.explore.subject import subject_named

STRATEGIES: Final = ("plain-trio", "hypothesis", *CHOOSERS)
"""The two baselines, then every chooser there is a name for."""


@attrs.frozen(kw_only=True)
class Trial:
    """What to do; see the module.

    Args:
        mutant: Its slug.
        strategy: One of `STRATEGIES`.
        seed: What the strategy begins with.
        budget: Schedules at most.
        is_shrunk: Whether to shrink and explain what was found, which costs more than finding it.
    """

    mutant: str
    strategy: str
    seed: int
    budget: int
    is_shrunk: bool = False


@attrs.frozen(kw_only=True)
class TrialResult:
    """What came of it.

    Args:
        trial: It.
        schedules: In which schedule the bug showed, from 1; ``None`` if it did not.
        seconds: How long the search took.
        deviations: Decisions out of turn of the shrunk run; ``None`` when it was not shrunk.
        shrink_s: How long shrinking took.
        is_batch: Whether the scheduler that Trio has today can meet it.
    """

    trial: Trial
    schedules: int | None
    seconds: float
    deviations: int | None = None
    shrink_s: float | None = None
    is_batch: bool | None = None


def perform(trial: Trial) -> TrialResult:
    """Do ``trial`` in this process.

    Raises:
        KeyError: There is no such mutant or strategy.
    """
    subject = subject_named(trial.mutant)
    program = subject.scenario.program
    start = time.perf_counter()
    if trial.strategy in baselines.BASELINES:
        with subject.planted():
            first = baselines.BASELINES[trial.strategy](program, trial.seed, trial.budget)
        return TrialResult(trial=trial, schedules=first, seconds=time.perf_counter() - start)
    with subject.planted():
        result = hunt(program, chooser_named(trial.strategy, trial.seed), trial.budget)
    seconds = time.perf_counter() - start
    if result.found is None:
        return TrialResult(trial=trial, schedules=None, seconds=seconds)
    # Runs that a reducing search gave up are schedules that it spent.
    schedules = result.schedules + result.redundant
    if not trial.is_shrunk:
        return TrialResult(trial=trial, schedules=schedules, seconds=seconds)
    start = time.perf_counter()
    with subject.planted():
        shrunk = shrink(program, result.found).run
        shrink_s = time.perf_counter() - start
        explanation = explain(program, shrunk)
    return TrialResult(
        trial=trial,
        schedules=schedules,
        seconds=seconds,
        deviations=shrunk.deviations,
        shrink_s=shrink_s,
        is_batch=explanation.reachable.schedule is not None,
    )
