"""Running the zoo: each mutant until it is found, each scenario without a bug to the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import attrs

from pyvirt_sim.campaign.workers import run_all
from pyvirt_sim.checkers.verdict import promise_in, verdict
from pyvirt_sim.engine import Run, hunt, shrink
from pyvirt_sim.engine.choosers import Portfolio
from pyvirt_sim.scenarios.scenario import scenario_named
from pyvirt_sim.zoo.mutant import mutant_named

DEFAULT_BUDGET = 1000
PROCESSES = 2
SHRINK_RUNS = 300
"""What shrinking a find may cost; most finds need tens of runs."""


@attrs.frozen(kw_only=True)
class Result:
    """What became of one mutant, or of one scenario without a bug.

    Args:
        name: Slug of the mutant, or name of the scenario.
        is_mutant: Which of the two.
        schedules: How many ran, the failing one included.
        found: Whether the declared checker fired (mutant), or any at all (scenario).
        checker: The one that fired first; empty when none did.
        expected: The one that must.
        found_by: Strategy of the portfolio that met it.
        deviations: Decisions that matter in the smallest failing schedule.
        tape: That schedule.
        detail: The broken promise, in words.
        seconds: Real time.
    """

    name: str
    is_mutant: bool
    schedules: int
    found: bool
    checker: str = ""
    expected: str = ""
    found_by: str = ""
    deviations: int | None = None
    tape: str = ""
    detail: str = ""
    seconds: float = 0.0

    @property
    def is_as_it_should_be(self) -> bool:
        """A mutant was found by its checker; a scenario held."""
        return self.found if self.is_mutant else not self.found


def run_mutant(
    slug: str, *, budget: int = DEFAULT_BUDGET, seed: int = 0, shrinks: bool = True
) -> Result:
    """Hunt one mutant with the portfolio.

    Args:
        slug: Which.
        budget: How many schedules at most.
        seed: Of the portfolio.
        shrinks: Also look for the smallest failing schedule.
    """
    mutant = mutant_named(slug)
    program = mutant.scenario.program
    started = time.perf_counter()
    with mutant.planted():
        result = hunt(program, Portfolio(seed), budget, freeze=False)
        smallest: Run | None = result.found
        if result.found is not None and shrinks:
            smallest = shrink(program, result.found, max_runs=SHRINK_RUNS).run
    error = None if result.found is None else result.found.error
    fired = verdict(error)
    return Result(
        name=slug,
        is_mutant=True,
        schedules=result.schedules,
        found=fired in (mutant.checker, *mutant.also),
        checker=fired,
        expected=mutant.checker,
        found_by=result.found_by.partition(":")[0],
        deviations=None if smallest is None or not shrinks else smallest.deviations,
        tape="" if smallest is None else smallest.tape.to_text(),
        detail=_words(error),
        seconds=time.perf_counter() - started,
    )


def run_scenario(name: str, *, budget: int = DEFAULT_BUDGET, seed: int = 0) -> Result:
    """Run the unchanged programs under ``budget`` schedules; no checker may fire."""
    started = time.perf_counter()
    result = hunt(scenario_named(name).program, Portfolio(seed), budget, freeze=False)
    error = None if result.found is None else result.found.error
    return Result(
        name=name,
        is_mutant=False,
        schedules=result.schedules,
        found=error is not None,
        checker=verdict(error),
        found_by=result.found_by.partition(":")[0],
        tape="" if result.found is None else result.found.tape.to_text(),
        detail=_words(error),
        seconds=time.perf_counter() - started,
    )


def run_zoo(
    slugs: Iterable[str],
    *,
    budget: int = DEFAULT_BUDGET,
    seed: int = 0,
    shrinks: bool = True,
    processes: int = PROCESSES,
    with_scenarios: bool = True,
) -> Iterator[Result]:
    """Run mutants and, once each, the scenarios they live in, without their bugs.

    Args:
        slugs: Of the mutants.
        budget: Schedules for each mutant and for each scenario.
        seed: Of the portfolios.
        shrinks: As for `run_mutant`.
        processes: How many at a time.
        with_scenarios: Whether the unchanged programs are run too.

    Returns:
        Results as they come.
    """
    slugs = tuple(slugs)
    names = sorted({mutant_named(slug).scenario.name for slug in slugs}) if with_scenarios else []
    pieces: list[Callable[[], Result]] = [
        *(partial(run_scenario, name, budget=budget, seed=seed) for name in names),
        *(partial(run_mutant, slug, budget=budget, seed=seed, shrinks=shrinks) for slug in slugs),
    ]
    return run_all(_call, pieces, workers=processes)


def _call(piece: Callable[[], Result]) -> Result:
    return piece()


def _words(error: BaseException | None) -> str:
    promise = promise_in(error)
    return str(promise) if promise is not None else "" if error is None else f"{error!r}"
