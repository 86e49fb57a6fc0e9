"""The program that is explained, and how to run it once more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import attrs

from pyvirt_sim.engine.choosers.portfolio import Portfolio
from pyvirt_sim.engine.errors import RedundantRun, SearchEnded, SearchExhausted
from pyvirt_sim.engine.hunt import raise_if_interrupted
from pyvirt_sim.engine.point import Chooser
from pyvirt_sim.engine.record import Run, failure_kind
from pyvirt_sim.engine.run import Policy, Timers, simulate

__all__ = ["MAX_STEPS", "Subject"]

MAX_STEPS: Final = 1_000_000
"""Task steps spent on an explanation: some seconds, whatever the program."""


@attrs.define(eq=False)
class Subject:
    """A program with the options under which it fails.

    Attributes:
        program: the program.
        kind: the kinds of errors that count as the failure.
        policy, timers, max_steps: as for `simulate`.
        executions: how many runs were made so far.
        steps_left: task steps that may still be spent on looking further.
    """

    program: Callable[[], Awaitable[Any]]
    kind: tuple[str, ...]
    policy: Policy
    timers: Timers
    max_steps: int
    executions: int = 0
    steps_left: int = MAX_STEPS

    @classmethod
    def of(cls, program: Callable[[], Awaitable[Any]], run: Run, max_steps: int) -> Subject:
        """Return the subject whose failure is ``run``."""
        policy: Policy = "batch" if run.tape.policy == "batch" else "any"
        timers: Timers = "choice" if run.tape.timers == "choice" else "idle"
        return cls(program, failure_kind(run.error), policy, timers, max_steps)

    def simulate(
        self, chooser: Chooser, *, policy: Policy | None = None, detail: bool = False
    ) -> Run:
        """Run the program once more."""
        self.executions += 1
        run = simulate(
            self.program,
            chooser=chooser,
            policy=self.policy if policy is None else policy,
            timers=self.timers,
            max_steps=self.max_steps,
            detail=detail,
        )
        self.steps_left -= run.steps
        raise_if_interrupted(run.error)
        return run

    def is_failure(self, run: Run) -> bool:
        """Tell whether a run fails in the same way."""
        return failure_kind(run.error) == self.kind

    def search(
        self, is_wanted: Callable[[Run], bool], schedules: int, policy: Policy | None = None
    ) -> tuple[Run | None, int, bool]:
        """Run under the default portfolio until a run is wanted, or the steps are used up.

        Returns:
            The run, or None; how many schedules ran; whether those were all there are.
        """
        chooser = Portfolio(0)
        for number in range(1, schedules + 1):
            try:
                run = self.simulate(chooser, policy=policy)
            except RedundantRun:
                continue
            except SearchEnded as end:
                is_complete = isinstance(end, SearchExhausted) and end.is_complete
                return None, number - 1, is_complete
            if is_wanted(run):
                return run, number, False
            if self.steps_left < 0:
                return None, number, False
        return None, schedules, False
