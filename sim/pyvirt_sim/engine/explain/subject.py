"""The program that is explained, and how to run it once more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import attrs

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
