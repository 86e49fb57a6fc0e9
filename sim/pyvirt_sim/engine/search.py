"""Hunt, shrink and check the result, with one set of options: what every kind of test does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, get_args

import attrs

from pyvirt_sim.engine.choosers.portfolio import Portfolio
from pyvirt_sim.engine.hunt import has_error, hunt
from pyvirt_sim.engine.point import Chooser
from pyvirt_sim.engine.record import Run
from pyvirt_sim.engine.run import Policy, Timers, replay
from pyvirt_sim.engine.shrink import shrink
from pyvirt_sim.engine.tape import Tape

__all__ = ["Program", "Search", "SearchResult"]

Program = Callable[[], Awaitable[Any]]
FREEZE_FROM: Final = 100
"""Schedules from which on it pays to freeze the heap first."""


@attrs.frozen(eq=False)
class SearchResult:
    """What a search found.

    Attributes:
        schedules: how many schedules ran.
        failure: the smallest failing run, or None.
        found_by: the chooser that met the failure, empty when there is none.
        deviations_before: deviations from the canonical schedule before shrinking.
        shrink_runs: how many runs the shrinking took.
    """

    schedules: int
    failure: Run | None = None
    found_by: str = ""
    deviations_before: int = 0
    shrink_runs: int = 0


@attrs.frozen(kw_only=True)
class Search:
    """How to look for a failing schedule; all options of a simulated test.

    Attributes:
        schedules: how many schedules to run.
        seed: of the chooser; the same seed gives the same search.
        policy, timers, max_steps: as for `simulate`.
        chooser: called with the seed, returns who decides; a `Portfolio` if None.
    """

    schedules: int = 200
    seed: int = 0
    policy: Policy = "any"
    timers: Timers = "idle"
    max_steps: int = 100_000
    chooser: Callable[[int], Chooser] | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse what cannot work, before anything runs."""
        for name, least in (("schedules", 1), ("seed", 0), ("max_steps", 1)):
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise ValueError(f"{name} must be an int of at least {least}, not {value!r}")
        for name, allowed in (("policy", get_args(Policy)), ("timers", get_args(Timers))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, not {getattr(self, name)!r}")
        # A chooser lives over many runs and learns: shared by tests, it would make each depend on
        # which others ran before it.
        chooser: Any = self.chooser
        is_instance = isinstance(chooser, Chooser) and not isinstance(chooser, type)
        if chooser is not None and (is_instance or not callable(chooser)):
            raise ValueError(
                "chooser must be called with a seed and return a chooser, as the class "
                f"RandomWalk is; it is {chooser!r}"
            )

    def run(
        self, program: Program, *, is_failure: Callable[[Run], bool] = has_error
    ) -> SearchResult:
        """Run ``program`` under many schedules; shrink the first failure.

        Args:
            program: an async function without arguments that builds everything it uses.
            is_failure: tells a failing run from a passing one; what it raises ends the search.

        Raises:
            ReplayDivergedError: a failing run could not be repeated: the program is not
                deterministic.
        """
        make = Portfolio if self.chooser is None else self.chooser
        hunted = hunt(
            program,
            make(self.seed),
            self.schedules,
            is_failure=is_failure,
            freeze=self.schedules >= FREEZE_FROM,
            policy=self.policy,
            timers=self.timers,
            max_steps=self.max_steps,
        )
        found = SearchResult(hunted.schedules, hunted.found, hunted.found_by)
        return self.shrink(program, found)

    def shrink(self, program: Program, result: SearchResult) -> SearchResult:
        """Return ``result`` with its failure, if there is one, as small as it can be made."""
        if result.failure is None:
            return result
        shrunk = shrink(program, result.failure, max_steps=self.max_steps)
        return attrs.evolve(
            result,
            failure=shrunk.run,
            deviations_before=shrunk.before,
            shrink_runs=shrunk.executions,
        )

    def replay(self, program: Program, tape: Tape) -> Run:
        """Run ``program`` once, exactly as ``tape`` says."""
        return replay(program, tape, max_steps=self.max_steps)
