"""A wrapper that repeats some of the runs, to notice a program that is not deterministic."""

from __future__ import annotations

from itertools import zip_longest

from pyvirt_sim.engine.choosers.replay import Replay
from pyvirt_sim.engine.choosers.wrapper import Wrapper
from pyvirt_sim.engine.errors import NondeterminismError, ReplayDivergedError
from pyvirt_sim.engine.point import Chooser, Point, RunStart
from pyvirt_sim.engine.record import Note, Run, failure_kind

__all__ = ["DeterminismCheck", "first_divergence"]


class DeterminismCheck(Wrapper):
    """After every ``every``-th run of ``chooser``, that run is repeated from its tape.

    The repeated run is one more run of the program, made in the next ``simulate``; it must have the
    digest of the first. A program that passes may still depend on addresses or on the hash seed,
    which rarely change between two runs in one process: ``prove_deterministic`` changes them.

    Args:
        chooser: who decides.
        every: 1 repeats every run, 100 costs one per cent.

    Attributes:
        checks: how many runs were repeated and came out the same.
    """

    def __init__(self, chooser: Chooser, every: int = 10) -> None:
        super().__init__(chooser)
        if every < 1:
            raise ValueError(f"every must be at least 1, not {every}")
        self.every = every
        self.checks = 0
        self._runs = 0
        self._original: Run | None = None
        self._replay: Replay | None = None

    @property
    def wants_footprints(self) -> bool:
        """Whether the chooser inside wants them; a repeated run needs none."""
        return self._replay is None and super().wants_footprints

    def start(self, run: RunStart, /) -> None:
        """Prepare the repetition that is due, or the next run."""
        if self._original is None:
            super().start(run)
            return
        self._replay = Replay(self._original.tape)
        self._replay.start(run)
        self.choose = self._repeat  # type: ignore[method-assign]

    def _repeat(self, point: Point) -> int:
        assert self._replay is not None
        try:
            return self._replay.choose(point)
        except ReplayDivergedError as error:
            raise NondeterminismError(f"a repeated run met other choices: {error}") from error

    def finish(self, result: Run | None, /) -> None:
        """Compare, or remember the run that is to be repeated.

        Raises:
            NondeterminismError: the repeated run was another one.
        """
        if self._replay is None:
            super().finish(result)
            self._runs += 1
            if result is not None and self._runs % self.every == 0:
                self._original = result
            return
        original, self._original, self._replay = self._original, None, None
        if original is None or result is None:  # the repetition raised, which says it all
            return
        if result.digest != original.digest:
            raise NondeterminismError(
                f"a repeated run came out differently: {first_divergence(original, result)}"
            )
        self.checks += 1


def _said(note: Note | None) -> str:
    if note is None:
        return "no note"
    details = " ".join(f"{key}={value}" for key, value in note.data.items())
    return f"the note {f'{note.actor} {note.action} {details}'.rstrip()!r}"


def first_divergence(first: Run, second: Run) -> str:
    """Return where two runs first differ, in words; empty if their records are the same."""
    for one, two in zip_longest(first.trace, second.trace):
        if one is None or two is None:
            return f"one run ends after {min(first.steps, second.steps)} steps, the other goes on"
        if (one.path, one.time_s) != (two.path, two.time_s):
            return (
                f"step {one.index} is {one.path} at {one.time_s:g} s in the first, "
                f"{two.path} at {two.time_s:g} s in the second"
            )
    for mine, other in zip_longest(first.notes, second.notes):
        if mine != other:
            here = (mine or other).step
            return f"step {here}: {_said(mine)} in the first, {_said(other)} in the second"
    for name in sorted({*first.record.draws, *second.record.draws}):
        pairs = zip_longest(first.record.draws.get(name, ()), second.record.draws.get(name, ()))
        for position, (mine_drawn, other_drawn) in enumerate(pairs):
            if mine_drawn != other_drawn:
                return f"draw {position} of {name}: {mine_drawn} became {other_drawn}"
    if failure_kind(first.error) != failure_kind(second.error):
        return f"the end: {first.error!r} became {second.error!r}"
    return "" if first.digest == second.digest else "the candidates of a choice"
