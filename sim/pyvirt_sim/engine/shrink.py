"""Make a failing run small: the fewest decisions that differ from the canonical ones.

What remains is the explanation of the bug: "everything ran in the expected order, except that
here this task came first". Greedy, in two stages repeated until nothing helps: set large chunks of
deviations to 0, halving the chunk size down to single ones, then lower the values that remain.
Candidates are replayed leniently; an accepted one is recorded anew, so that the result is always
a real run.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import attrs

from pyvirt_sim.engine.hunt import raise_if_interrupted
from pyvirt_sim.engine.record import Run, failure_kind
from pyvirt_sim.engine.run import replay
from pyvirt_sim.engine.tape import Tape

__all__ = ["ShrinkResult", "shrink"]

Place = tuple[str, int]


@attrs.frozen(eq=False)
class ShrinkResult:
    """The smallest failing run found.

    Attributes:
        run: the run; its tape replays strictly.
        executions: how many runs it took.
        before: deviations of the run that was shrunk, over all streams.
        after: deviations of ``run``.
        is_minimal: no single deviation can be undone without losing the failure; False when
            ``max_runs`` ended the search first.
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
    replay(program, run.tape, max_steps=max_steps)
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
    def __init__(
        self,
        program: Callable[[], Awaitable[Any]],
        run: Run,
        is_failure: Callable[[Run], bool],
        max_runs: int,
        max_steps: int,
    ) -> None:
        self.program = program
        self.best = run
        self.is_failure = is_failure
        self.max_runs = max_runs
        self.max_steps = max_steps
        self.executions = 1  # the strict replay that proved the run repeatable
        self.tried: set[tuple[tuple[str, tuple[int, ...]], ...]] = set()

    def shrink(self) -> bool:
        try:
            while True:
                before = _measure(self.best.tape)
                self._zero_chunks()
                self._lower_values()
                if _measure(self.best.tape) == before:
                    return True
        except _OutOfRunsError:
            return False

    def _zero_chunks(self) -> None:
        size = max(1, len(_deviations(self.best.tape)))
        while True:
            end = len(_deviations(self.best.tape))
            # From the end: late decisions are most often irrelevant, and undoing an early one
            # changes the meaning of all later ones.
            while end > 0:
                places = _deviations(self.best.tape)
                end = min(end, len(places))
                chunk = places[max(0, end - size) : end]
                self._try(dict.fromkeys(chunk, 0))
                end -= size
            if size == 1:
                return
            size //= 2

    def _lower_values(self) -> None:
        for place in _deviations(self.best.tape):
            value = _value(self.best.tape, place)
            for lower in (1, value // 2, value - 1):
                if 0 < lower < value and self._try({place: lower}):
                    break

    def _try(self, changes: dict[Place, int]) -> bool:
        """Replay the best run with some values changed; keep it if it fails and is smaller."""
        tape = self.best.tape
        values = {name: list(stream.values) for name, stream in tape.streams.items()}
        for (name, index), value in changes.items():
            if index >= len(values.get(name, ())):
                return False
            values[name][index] = value
        key = tuple((name, tuple(column)) for name, column in sorted(values.items()))
        if key in self.tried:
            return False
        self.tried.add(key)
        if self.executions >= self.max_runs:
            raise _OutOfRunsError
        self.executions += 1
        run = replay(self.program, tape.with_values(values), strict=False, max_steps=self.max_steps)
        raise_if_interrupted(run.error)
        if not self.is_failure(run) or _measure(run.tape) >= _measure(tape):
            return False
        self.best = run
        return True


def _deviations(tape: Tape) -> Sequence[Place]:
    return [
        (name, index)
        for name, stream in tape.streams.items()
        for index, value in enumerate(stream.values)
        if value
    ]


def _value(tape: Tape, place: Place) -> int:
    values = tape.values(place[0])
    return values[place[1]] if place[1] < len(values) else 0


def _measure(tape: Tape) -> tuple[int, int, int]:
    """Order tapes by simplicity: fewest deviations, then smallest values, then shortest."""
    streams = tape.streams.values()
    return (
        tape.deviations,
        sum(sum(stream.values) for stream in streams),
        sum(len(stream.values) for stream in streams),
    )
