"""`prove_deterministic`: the same answers must give the same run, whatever else changes."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final, Literal

import attrs

from pyvirt_sim.engine.choosers.basic import RandomWalk
from pyvirt_sim.engine.determinism.child import observe, observe_elsewhere, why_not_importable
from pyvirt_sim.engine.determinism.observation import (
    Divergence,
    Observation,
    first_divergence,
    locate,
)
from pyvirt_sim.engine.errors import NondeterminismError
from pyvirt_sim.engine.point import Chooser
from pyvirt_sim.engine.run import simulate
from pyvirt_sim.engine.tape import Tape

__all__ = ["Proof", "prove_deterministic"]

_IN_PROCESS: Final = (
    "run again in the same process, with memory laid out differently (look for sets of objects, "
    "id(), clocks or chance imported by name before the run, and state that outlives a run)"
)
_ELSEWHERE: Final = (
    "in a process with another hash seed and time zone (look for sets of strings, hash(), and "
    "local time)"
)
# How often a divergence is looked for again under tracing before it is reported without its line.
_ATTEMPTS: Final = 5


@attrs.frozen
class Proof:
    """What was shown.

    Attributes:
        schedules: how many schedules were tried.
        runs: how many runs were compared, over all schedules.
        hash_seeds: the hash seeds of the child processes.
        skipped: why there was no child process; empty if there was.
    """

    schedules: int
    runs: int
    hash_seeds: tuple[int, ...]
    skipped: str


class Rubbish:
    """Objects that move what is allocated next; kept until the proof ends."""

    def __init__(self) -> None:
        self._random = Random(1)
        self._kept: list[Any] = []

    def add(self) -> None:
        """Fill memory with objects of many sizes and free some of each, in a mixed order."""
        made: list[Any] = [
            bytearray(self._random.randrange(1, 400)) if number % 3 else [object()] * (number % 40)
            for number in range(self._random.randrange(1_000, 4_000))
        ]
        self._random.shuffle(made)
        self._kept.append(made[: len(made) // 2])


def _program(named: Callable[..., Any] | str) -> Callable[..., Any]:
    if not isinstance(named, str):
        return named
    module, colon, qualname = named.partition(":")
    if not colon:
        raise ValueError(f"{named!r} is not of the form module:name")
    found: Any = importlib.import_module(module)
    for name in qualname.split("."):
        found = getattr(found, name)
    program: Callable[..., Any] = found
    return program


class _Prover:
    def __init__(
        self, program: Callable[..., Any], args: tuple[Any, ...], max_steps: int, repetitions: int
    ) -> None:
        self.program = program
        self.args = args
        self.max_steps = max_steps
        self.repetitions = repetitions
        self.rubbish = Rubbish()

    def again(self, tape: Tape, has_lines: bool = False) -> Observation:
        """Run once more, elsewhere in memory."""
        self.rubbish.add()
        return observe(self.program, self.args, tape, self.max_steps, has_lines)

    def elsewhere(
        self, tapes: Sequence[Tape], seed: int, has_lines: bool = False
    ) -> list[Observation]:
        """Run in a child process."""
        return observe_elsewhere(
            self.program, self.args, tapes, self.max_steps, seed, has_lines=has_lines
        )

    def compare(self, first: Observation, tape: Tape) -> None:
        """Compare ``first`` with repetitions in this process."""
        for _ in range(self.repetitions):
            found = first_divergence(first, self.again(tape))
            if found is not None:
                self.fail(attrs.evolve(found, variation=_IN_PROCESS), tape, self.again)

    def compare_elsewhere(self, firsts: list[Observation], tapes: list[Tape], seed: int) -> None:
        """Compare runs with the same ones in a child process."""
        for first, other, tape in zip(firsts, self.elsewhere(tapes, seed), tapes, strict=True):
            found = first_divergence(first, other)
            if found is not None:
                variation = attrs.evolve(found, variation=_ELSEWHERE)
                self.fail(variation, tape, lambda t, _: self.elsewhere([t], seed, True)[0])

    def fail(
        self, found: Divergence, tape: Tape, other: Callable[[Tape, bool], Observation]
    ) -> None:
        """Find the line and raise."""
        first = self.again(tape, True)
        for _ in range(_ATTEMPTS):
            located = locate(found, first, other(tape, True))
            if located.source:
                raise NondeterminismError(str(located), located)
        raise NondeterminismError(str(found), found)


def prove_deterministic(
    program: Callable[..., Any] | str,
    *args: Any,
    chooser: Chooser | None = None,
    schedules: int = 3,
    repetitions: int = 2,
    hash_seeds: Sequence[int] = (1, 2, 3),
    policy: Literal["any", "batch"] = "any",
    timers: Literal["idle", "choice"] = "idle",
    max_steps: int = 100_000,
) -> Proof:
    """Show that ``program`` does the same whenever it gets the same answers.

    Each schedule is run, repeated in this process with memory laid out differently, and repeated
    in child processes with other hash seeds and another time zone. Tests that run often can leave
    out the children with ``hash_seeds=()``; a child takes about half a second.

    Args:
        program: an async function, or ``module:name`` of one. Children must be able to import it.
        args: passed to it; must be picklable if there are children.
        chooser: who decides; a random walk if None.
        schedules: how many runs of the chooser to repeat.
        repetitions: how often each is repeated in this process.
        hash_seeds: one child process each, which repeats all schedules. A set of two strings has
            the same order under half of all hash seeds, so one is not enough.
        policy: as for `simulate`.
        timers: as for `simulate`.
        max_steps: as for `simulate`.

    Returns:
        What was compared. Nothing differed.

    Raises:
        NondeterminismError: two runs differed; says where, and after which line if that shows.
        RuntimeError: a child process could not run the program.
        ValueError: no schedule, nothing to compare, or ``program`` is not ``module:name``.
    """
    if schedules < 1:
        raise ValueError(f"schedules must be at least 1, not {schedules}")
    if repetitions < 1 and not hash_seeds:
        raise ValueError("nothing to compare: repetitions is 0 and there are no hash_seeds")
    found = _program(program)
    choosing: Chooser = RandomWalk(0) if chooser is None else chooser
    prover = _Prover(found, args, max_steps, repetitions)
    firsts: list[Observation] = []
    tapes: list[Tape] = []
    for _ in range(schedules):
        run = simulate(
            found,
            *args,
            chooser=choosing,
            policy=policy,
            timers=timers,
            max_steps=max_steps,
            detail=True,
        )
        first = Observation.of(run)
        prover.compare(first, run.tape)
        firsts.append(first)
        tapes.append(run.tape)
    skipped = why_not_importable(found) if hash_seeds else "no hash seeds were asked for"
    seeds = () if skipped else tuple(hash_seeds)
    for seed in seeds:
        prover.compare_elsewhere(firsts, tapes, seed)
    return Proof(schedules, schedules * (1 + repetitions + len(seeds)), seeds, skipped)
