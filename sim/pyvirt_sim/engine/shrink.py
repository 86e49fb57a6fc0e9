"""Make a failing run small: the fewest decisions that differ from the canonical ones.

What remains is the explanation of the bug: "everything ran in the expected order, except that
here this task came first". The search goes from both ends:

1. From below: is the canonical schedule enough? Is one decision enough? There are few single
   decisions, and the failing run tells which are worth trying: those that put two steps in the
   order that the failing run has them in and the canonical one has not.
2. From above: take out chunks of deviations, halving the chunks down to single ones; keep a few
   first deviations and look for one that replaces all the others; lower the values that remain.

Decisions are taken out and put in by whom they pass over (see ``deviation``), not by their place on
the tape. Every candidate is a real run, recorded anew, so that its tape replays strictly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from itertools import combinations, islice
from typing import Any, Final

import attrs

from pyvirt_sim.engine.choosers.replay import Replay
from pyvirt_sim.engine.deviation import (
    Deviation,
    Directed,
    Surveyor,
    Witness,
    single_deviations,
    turns_of,
)
from pyvirt_sim.engine.errors import ReplayDivergedError
from pyvirt_sim.engine.hunt import raise_if_interrupted
from pyvirt_sim.engine.point import Chooser
from pyvirt_sim.engine.record import Run, failure_kind
from pyvirt_sim.engine.run import Policy, Timers, simulate
from pyvirt_sim.engine.tape import SCHEDULE

__all__ = ["ShrinkResult", "shrink"]

# As many single decisions are all tried before anything is taken out of the failing run.
FEW: Final = 150
# Runs that one search for a single replacing decision may take.
MAX_INVERTED: Final = 300
MAX_OTHERS: Final = 50
# How many ways of keeping some deviations are tried; there are exponentially many.
MAX_GROUPS: Final = 10
MAX_GROUP_RUNS: Final = 500
# Runs that the search for two deviations in place of three and more may take.
MAX_PAIR_RUNS: Final = 500
# Task steps of all runs together, after which what was found stands: some seconds' worth.
MAX_STEPS_IN_ALL: Final = 2_000_000


@attrs.frozen(eq=False)
class ShrinkResult:
    """The smallest failing run found.

    Attributes:
        run: the run; its tape replays strictly.
        executions: how many runs it took.
        before: deviations of the run that was shrunk, over all streams.
        after: deviations of ``run``.
        is_minimal: no single deviation can be undone without losing the failure; False when
            ``max_runs`` or `MAX_STEPS_IN_ALL` ended the search before that was known.
    """

    run: Run
    executions: int
    before: int
    after: int
    is_minimal: bool


class _OutOfRunsError(Exception):
    """The budget is used up; what was found so far stands."""


def shrink(
    program: Callable[[], Awaitable[Any]],
    run: Run,
    *,
    is_failure: Callable[[Run], bool] | None = None,
    max_runs: int = 1000,
    max_steps: int = 100_000,
) -> ShrinkResult:
    """Find a failing run of ``program`` with as few deviations from the canonical one as possible.

    Args:
        program: the program that ``run`` came from.
        run: a failing run.
        is_failure: tells whether a run still fails in the way wanted; by default its error has
            the same exception types as that of ``run``.
        max_runs: how many executions to spend.
        max_steps: as for `simulate`.

    Returns:
        The smallest failing run that was found, at worst ``run`` itself, and how it was found.

    Raises:
        ValueError: ``run`` does not fail, by ``is_failure``.
        ReplayDivergedError: ``run`` does not replay: the program is not deterministic.
    """
    kind = failure_kind(run.error)

    def same_kind(other: Run) -> bool:
        return failure_kind(other.error) == kind

    wanted = same_kind if is_failure is None else is_failure
    if not wanted(run) or (is_failure is None and not kind):
        raise ValueError("the run to shrink does not fail")
    shrinker = _Shrinker(program, run, wanted, max_runs, max_steps)
    is_minimal = shrinker.shrink()
    return ShrinkResult(
        shrinker.best,
        shrinker.executions,
        run.tape.deviations,
        shrinker.best.tape.deviations,
        is_minimal,
    )


class _Shrinker:
    """The search. ``best`` is always a run that fails in the way wanted."""

    def __init__(
        self,
        program: Callable[[], Awaitable[Any]],
        run: Run,
        is_failure: Callable[[Run], bool],
        max_runs: int,
        max_steps: int,
    ) -> None:
        self.program = program
        self.is_failure = is_failure
        self.max_runs = max_runs
        self.policy: Policy = "batch" if run.tape.policy == "batch" else "any"
        self.timers: Timers = "choice" if run.tape.timers == "choice" else "idle"
        self.max_steps = max_steps
        self.executions = 0
        self.minimal: Run | None = None  # the run of which every single deviation was undone
        self.steps_left = MAX_STEPS_IN_ALL
        self.tried: set[tuple[Deviation, ...]] = set()
        witness = Witness(Replay(run.tape))
        # The strict replay proves the run repeatable, and tells its deviations.
        self.best = self._simulate(witness)
        self.deviations = witness.deviations

    def shrink(self) -> bool:
        """Make ``best`` as small as possible; tell whether no decision in it can be undone."""
        if not self.is_failure(self.best):
            raise ReplayDivergedError(
                "the run took the same choices again and did not fail: the program is not "
                "deterministic"
            )
        try:
            if self.deviations and not self._try([]) and len(self._worth_trying(())) <= FEW:
                self._replace(())
            while True:
                before = _measure(self.best)
                # Cheapest first: what one of them achieves may give an earlier one new work.
                for make_smaller in (
                    self._undo_chunks,
                    self._replace_groups,
                    self._search_pairs,
                    self._lower_values,
                ):
                    make_smaller()
                    if _measure(self.best) < before:
                        break
                else:
                    break
        except _OutOfRunsError:
            pass
        return self.minimal is self.best

    def _undo_chunks(self) -> None:
        """Take deviations out: all of a chunk, halving the chunks down to single ones."""
        size = max(1, len(self.deviations) // 2)
        while True:
            before, end = self.best, len(self.deviations)
            # From the end: late decisions are most often irrelevant.
            while end > 0:
                end = min(end, len(self.deviations))
                kept = [*self.deviations[: max(0, end - size)], *self.deviations[end:]]
                self._try(kept)
                end -= size
            if size > 1:
                size //= 2
            elif self.best is before:
                self.minimal = self.best
                return

    def _replace_groups(self) -> None:
        """Keep some deviations, few before many, and look for one that does what the rest do."""
        before, end = self.best, self.executions + MAX_GROUP_RUNS
        for kept in range(len(self.deviations) - 1):
            for group in islice(combinations(self.deviations, kept), MAX_GROUPS):
                self._replace(group)
                if self.best is not before or self.executions > end:
                    return

    def _search_pairs(self) -> None:
        """Where more than two deviations are left, look for two that none of them need be in."""
        if len(self.deviations) < 3:
            return
        end = self.executions + MAX_PAIR_RUNS
        for first in self._worth_trying(()):
            self._replace((first,))
            if len(self.deviations) < 3 or self.executions > end:
                return

    def _replace(self, kept: Sequence[Deviation]) -> None:
        """Try the deviations in ``kept`` and one more."""
        if len(self.deviations) <= len(kept) + 1:
            return
        for one in self._worth_trying(kept):
            if self._try(sorted((*kept, one), key=lambda deviation: deviation.step)):
                return

    def _worth_trying(self, kept: Sequence[Deviation]) -> Sequence[Deviation]:
        """Return single deviations to add to those in ``kept``, the most promising first.

        Those are where the failing run has the two tasks' steps in the other order, late ones
        before early ones: what decides tends to come late. Elsewhere a deviation helps only by
        accident, so few of those are tried.
        """
        surveyor = Surveyor(Directed(kept))
        base = self._simulate(surveyor)
        inverted, others = _alternatives(base, surveyor.offers, self.best)
        drawn = _other_draws(surveyor, self.deviations)
        return (*inverted[:MAX_INVERTED], *drawn[:MAX_INVERTED], *others[:MAX_OTHERS])

    def _lower_values(self) -> None:
        """Take an earlier candidate, or a smaller draw: pass over as few tasks as possible."""
        place = 0
        while place < len(self.deviations):
            lowest, value = 0, self.deviations[place].index
            while value - lowest > 1:
                middle = (lowest + value) // 2 if lowest else 1  # 1 is most often enough
                changed = list(self.deviations)
                changed[place] = attrs.evolve(changed[place], index=middle, chosen="")
                if not self._try(changed):
                    lowest = middle
                elif place < len(self.deviations):
                    value = self.deviations[place].index
                else:
                    break
            place += 1

    def _try(self, wanted: Sequence[Deviation]) -> bool:
        """Run with these deviations; keep the run if it fails and is smaller."""
        key = tuple(attrs.evolve(one, step=0) for one in wanted)
        if key in self.tried:
            return False
        self.tried.add(key)
        directed = Directed(wanted)
        run = self._simulate(directed)
        if not self.is_failure(run) or _measure(run) >= _measure(self.best):
            return False
        self.best, self.deviations = run, directed.deviations
        return True

    def _simulate(self, chooser: Chooser) -> Run:
        if self.executions >= self.max_runs or self.steps_left < 0:
            raise _OutOfRunsError
        self.executions += 1
        run = simulate(
            self.program,
            chooser=chooser,
            policy=self.policy,
            timers=self.timers,
            max_steps=self.max_steps,
        )
        self.steps_left -= run.steps
        raise_if_interrupted(run.error)
        return run


def _alternatives(
    base: Run, offers: Sequence[tuple[int, Sequence[int]]], failing: Run
) -> tuple[list[Deviation], list[Deviation]]:
    """All single schedule decisions that ``base`` could have taken otherwise, late ones first.

    Returns:
        Those whose two steps come in the other order in ``failing``, and the rest.
    """
    turns, path = turns_of(failing)
    places = {
        (path(number), turn): place
        for place, (number, turn) in enumerate(zip(failing.record.order, turns, strict=True))
    }
    never = len(turns)
    order, mine = base.record.order, turns_of(base)[0]
    inverted: list[Deviation] = []
    others: list[Deviation] = []
    next_turns = Counter[str]()
    seen = 0
    for one in single_deviations(base, offers):
        for step in range(seen, one.step):
            next_turns[base.record.path(order[step])] = mine[step] + 1
        seen = max(seen, one.step)
        place = places.get((one.chosen, next_turns[one.chosen]), never)
        is_inverted = place < places.get((one.expected, one.turn), never)
        (inverted if is_inverted else others).append(one)
    return inverted[::-1], others[::-1]


def _other_draws(surveyor: Surveyor, deviations: Sequence[Deviation]) -> list[Deviation]:
    """All single draws that could have given what the failing run drew under the same label."""
    values: dict[tuple[str, str], dict[int, str]] = {}
    for one in deviations:
        if one.stream != SCHEDULE:
            values.setdefault((one.stream, one.label), {})[one.index] = one.chosen
    return [
        Deviation(step, stream, label, "0", turn, chosen, index)
        for step, stream, label, turn, bound in surveyor.draws
        for index, chosen in values.get((stream, label), {}).items()
        if index < bound
    ]


def _measure(run: Run) -> tuple[int, int, int]:
    """Order runs by simplicity: fewest deviations, then smallest values, then fewest draws."""
    values = run.record.values
    draws = [draw.value for column in run.record.draws.values() for draw in column]
    return (
        len(values) - values.count(0) + len(draws) - draws.count(0),
        sum(values) + sum(draws),
        len(values) + len(draws),
    )
