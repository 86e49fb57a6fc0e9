"""Several choosers in turn, because no single strategy finds every kind of race."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from pyvirt_sim.engine.choosers.basic import Canonical, RandomWalk
from pyvirt_sim.engine.choosers.pct import Pct
from pyvirt_sim.engine.point import Chooser, Point, RunStart
from pyvirt_sim.engine.record import Run

__all__ = ["Member", "Portfolio"]


@attrs.define(eq=False)
class Member:
    """One chooser of a portfolio and what it did so far.

    Attributes:
        name: how reports call it.
        chooser: the chooser.
        runs: executions it decided.
        failures: how many of them ended with an error.
        steps: their task steps together.
    """

    name: str
    chooser: Chooser
    runs: int = 0
    failures: int = 0
    steps: int = 0


class Portfolio:
    """The canonical schedule once, then its other members in turn.

    By default PCT of depths 1, 2 and 3 (races where a task must starve) and a random walk (shallow
    races).
    """

    def __init__(self, seed: int = 0, members: Sequence[Member] | None = None) -> None:
        self.canonical = Member("canonical", Canonical())
        self.rotation = list(members) if members is not None else _default_members(seed)
        if not self.rotation:
            raise ValueError("a portfolio needs at least one member")
        self._execution = -1
        self._active = self.canonical

    @property
    def members(self) -> Sequence[Member]:
        """All members, with their statistics."""
        return (self.canonical, *self.rotation)

    def start(self, run: RunStart, /) -> None:
        """Hand the next run to the next member."""
        self._execution += 1
        if self._execution:
            self._active = self.rotation[(self._execution - 1) % len(self.rotation)]
        self._active.chooser.start(run)
        # The hot path is the member's own bound method.
        self.choose = self._active.chooser.choose  # type: ignore[method-assign]

    def choose(self, point: Point, /) -> int:
        """Ask the active member."""
        return self._active.chooser.choose(point)

    def finish(self, result: Run | None, /) -> None:
        """Let the active member learn, and count."""
        member = self._active
        member.runs += 1
        if result is not None:
            member.steps += result.steps
            member.failures += result.error is not None
        member.chooser.finish(result)

    def __repr__(self) -> str:
        return f"{self._active.name}: {self._active.chooser!r}"


def _default_members(seed: int) -> list[Member]:
    return [
        Member("PCT depth 1", Pct(seed, 1)),
        Member("PCT depth 2", Pct(seed, 2)),
        Member("PCT depth 3", Pct(seed, 3)),
        Member("random walk", RandomWalk(seed)),
    ]
