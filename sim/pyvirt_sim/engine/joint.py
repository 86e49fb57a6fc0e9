"""One program, many workloads: remember which few decisions broke an earlier one.

A property-testing library tries workloads, and when one fails it tries smaller ones. Searching the
schedules of each from scratch would be slow, and where a smaller workload fails only under a rare
schedule the search would miss it and the workload stay large. So a failure is shrunk at once, and
its few decisions are the first thing tried on every workload after it: told by the tasks they pass
over (see ``deviation``), they keep their meaning when the workload gets smaller.

Such a library demands that a workload which failed fails again. It does: its own decisions have
been remembered, none is ever forgotten, and they are tried in the order in which they were found.

The result is the smallest workload, and for that the fewest deviations.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from pyvirt_sim.engine.choosers.replay import Replay
from pyvirt_sim.engine.deviation import Deviation, Directed, Surveyor, Witness, single_deviations
from pyvirt_sim.engine.hunt import has_error, raise_if_interrupted
from pyvirt_sim.engine.point import Chooser
from pyvirt_sim.engine.record import Run
from pyvirt_sim.engine.run import simulate
from pyvirt_sim.engine.search import Program, Search, SearchResult
from pyvirt_sim.engine.tape import SCHEDULE

__all__ = ["JointSearch"]

SEEDS_APART: Final = 10_000
"""Between the seeds of two workloads, so that they are not run under the same schedules."""
AFTER_FAILURE: Final = 5
"""By what the number of schedules is divided once a failure is known: most workloads that are
tried then are smaller forms of it, and those that fail mostly do so by decisions known already."""
MAX_SIMILAR: Final = 30
"""Places where a decision like a known one is tried, the latest ones."""
_NUMBER = re.compile(r"\[\d+\]")


def _kind(path: str) -> str:
    """Return the names in a path without the numbers of the tasks."""
    return _NUMBER.sub("", path)


@attrs.define(eq=False)
class JointSearch:
    """Searches the schedules of one workload after the other.

    Attributes:
        search: how to search; ``schedules`` is per workload.
        known: deviations of the failures so far, each shrunk.
        workloads: how many there were.
        schedules: how many runs were made in search of failures, all workloads together.
        failed: what the last failing workload gave, and the program with that workload.
    """

    search: Search
    known: list[Sequence[Deviation]] = attrs.Factory(list[Sequence[Deviation]])
    workloads: int = 0
    schedules: int = 0
    failed: tuple[Program, SearchResult] | None = None

    def run(self, program: Program, *, is_failure: Callable[[Run], bool] = has_error) -> Run | None:
        """Search one workload.

        Args:
            program: an async function without arguments that contains the workload and makes
                everything else it uses.
            is_failure: tells a failing run from a passing one; what it raises ends the search.

        Returns:
            A failing run of few deviations, or None.

        Raises:
            ReplayDivergedError: the program is not deterministic.
        """
        self.workloads += 1
        run = self._by_known_decisions(program, is_failure)
        if run is not None:
            self.failed = program, SearchResult(1, run, "decisions that failed before")
            return run
        schedules = self.search.schedules
        if self.known:
            schedules = -(-schedules // AFTER_FAILURE)
        seed = self.search.seed + (self.workloads - 1) * SEEDS_APART
        search = attrs.evolve(self.search, schedules=schedules, seed=seed)
        result = search.run(program, is_failure=is_failure)
        self.schedules += result.schedules
        if result.failure is None:
            return None
        witness = Witness(Replay(result.failure.tape))
        self._simulate(program, witness)
        self.known.append(tuple(witness.deviations))
        self.failed = program, result
        return result.failure

    def _by_known_decisions(
        self, program: Program, is_failure: Callable[[Run], bool]
    ) -> Run | None:
        for deviations in self.known:
            run = self._simulate(program, Directed(deviations))
            if is_failure(run):
                return run
        for deviations in self.known:
            for place in range(len(deviations)):
                for one in self._similar(program, deviations, place):
                    changed = [*deviations[:place], one, *deviations[place + 1 :]]
                    run = self._simulate(program, Directed(changed))
                    if is_failure(run):
                        return run
        return None

    def _similar(
        self, program: Program, deviations: Sequence[Deviation], place: int
    ) -> list[Deviation]:
        """Find where tasks of the same names could be taken in the same wrong order.

        In a smaller workload a task takes fewer steps, and another of its kind may do its work.
        """
        wanted = deviations[place]
        surveyor = Surveyor(Directed([*deviations[:place], *deviations[place + 1 :]]))
        run = self._simulate(program, surveyor)
        if wanted.stream != SCHEDULE:
            draws = [draw for draw in surveyor.draws if draw[1:3] == (wanted.stream, wanted.label)]
            found = [
                attrs.evolve(wanted, step=step, turn=turn)
                for step, _, _, turn, bound in draws
                if wanted.index < bound
            ]
            return found[-MAX_SIMILAR:][::-1]
        names = _kind(wanted.expected), _kind(wanted.chosen)
        every = single_deviations(run, surveyor.offers)
        same = [one for one in every if (_kind(one.expected), _kind(one.chosen)) == names]
        return same[-MAX_SIMILAR:][::-1]

    def _simulate(self, program: Program, chooser: Chooser) -> Run:
        search = self.search
        self.schedules += 1
        run = simulate(
            program,
            chooser=chooser,
            policy=search.policy,
            timers=search.timers,
            max_steps=search.max_steps,
        )
        raise_if_interrupted(run.error)
        return run

    def smallest(self) -> tuple[Program, SearchResult]:
        """Return the last failing workload with its failure, shrunk once more for this workload.

        Raises:
            ValueError: no workload failed.
        """
        if self.failed is None or self.failed[1].failure is None:
            raise ValueError("no workload failed")
        program, result = self.failed
        return program, self.search.shrink(program, result)
