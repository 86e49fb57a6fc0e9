"""Several choosers in turn, because no single strategy finds every kind of race."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter

from pyvirt_sim.engine.choosers.basic import Canonical, RandomWalk
from pyvirt_sim.engine.choosers.bounded import PreemptionBound
from pyvirt_sim.engine.choosers.dpor import Dpor
from pyvirt_sim.engine.choosers.metrics import Metrics
from pyvirt_sim.engine.choosers.pct import Pct
from pyvirt_sim.engine.choosers.pos import PartialOrderSampling
from pyvirt_sim.engine.choosers.urw import UniformWalk
from pyvirt_sim.engine.errors import SearchEnded, SearchExhausted
from pyvirt_sim.engine.footprint_collect import can_watch
from pyvirt_sim.engine.point import Chooser, Point, RunStart
from pyvirt_sim.engine.record import Run

__all__ = ["Member", "Portfolio"]


class Member(Metrics):
    """One chooser of a portfolio, and what it did so far.

    Args:
        name: how reports call it.
        chooser: who decides in its runs.
        clock: measures what it costs, in seconds, for the report.

    Attributes:
        name: how reports call it.
        ended: why it has no further run, in its words; empty while it has.
    """

    def __init__(
        self, name: str, chooser: Chooser, clock: Callable[[], float] = perf_counter
    ) -> None:
        super().__init__(chooser, clock)
        self.name = name
        self.ended = ""


class Portfolio:
    """The canonical schedule once, then its other members in turn, one run each.

    By default: PCT of depths 1, 2 and 3 (races where a task must starve), the uniform walk, partial
    order sampling and a random walk (races that are shallow, or lie among many steps), and all
    schedules with no preemption, then with one. `Dpor` joins them when the canonical run has shown
    that every step at which there was a choice touched only what is labelled, and leaves the rest
    no work when it is done.

    A member that has run everything within its bound leaves. The search ends when one has run all
    that there is, or when nobody is left.

    Args:
        seed: what all default members begin with.
        members: who takes turns instead of the default members.
        clock: measures what members cost, in seconds, for the report; it decides nothing.

    Raises:
        ValueError: ``members`` is empty.

    Attributes:
        canonical: the member that makes the first run.
        rotation: the members that take turns, in their order.
    """

    def __init__(
        self,
        seed: int = 0,
        members: Sequence[Member] | None = None,
        *,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self.canonical = Member("canonical", Canonical(), clock)
        self.rotation = list(members) if members is not None else _default_members(seed, clock)
        if not self.rotation:
            raise ValueError("a portfolio needs at least one member")
        self.wants_footprints = False
        self._reduces = members is None
        self._clock = clock
        self._retired: list[Member] = []
        self._next = 0
        self._active = self.canonical
        self._has_begun = False
        self._end: SearchExhausted | None = None

    @property
    def members(self) -> Sequence[Member]:
        """All members, with their statistics, those that have left last."""
        return (self.canonical, *self.rotation, *self._retired)

    def start(self, run: RunStart, /) -> None:
        """Hand the next run to the next member.

        Raises:
            SearchExhausted: one member has run all there is, or no member has a further run.
        """
        if not self._has_begun:
            self._has_begun = True
            can_reduce = (run.policy, run.timers) == ("any", "idle") and can_watch()
            self._reduces = self._reduces and can_reduce
            self._active = self.canonical
            self._active.start(run)
            self.wants_footprints = self._reduces
        else:
            self._start_next(run)
            self.wants_footprints = self._active.wants_footprints
        # The hot path is the member's own bound method.
        self.choose = self._active.choose  # type: ignore[method-assign]

    def _start_next(self, run: RunStart) -> None:
        while self._end is None:
            self._next %= len(self.rotation)
            self._active = member = self.rotation[self._next]
            try:
                member.start(run)
            except SearchEnded as end:
                self._retire(member, end)
            else:
                self._next += 1
                return
        raise self._end

    def _retire(self, member: Member, end: SearchEnded) -> None:
        member.ended = str(end)
        self.rotation.remove(member)
        self._retired.append(member)
        if isinstance(end, SearchExhausted) and end.is_complete:
            self._end = end
        elif not self.rotation:
            text = "; ".join(f"{one.name}: {one.ended}" for one in self._retired)
            self._end = SearchExhausted(text, is_complete=False)

    def choose(self, point: Point, /) -> int:
        """Ask the active member."""
        return self._active.choose(point)

    def finish(self, result: Run | None, /) -> None:
        """Let the active member learn, and count."""
        self._active.finish(result)
        if self._active is self.canonical and self._reduces and result is not None:
            self._reduces = False
            if _is_labelled(result):
                self.rotation.append(Member("DPOR", Dpor(), self._clock))

    def report(self) -> str:
        """Return a table of what each member did, one line each."""
        rows = [("member", "runs", "failed", "given up", "steps", "seconds", "")]
        rows += [
            (
                member.name,
                str(member.runs),
                str(member.failures),
                str(member.abandoned),
                f"{member.steps_min}..{member.steps_max}",
                f"{member.elapsed_s:.2f}",
                member.ended,
            )
            for member in self.members
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(6)]
        lines = (
            "  ".join(
                [
                    row[0].ljust(widths[0]),
                    *(cell.rjust(width) for cell, width in zip(row[1:6], widths[1:], strict=True)),
                    row[6],
                ]
            ).rstrip()
            for row in rows
        )
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"{self._active.name}: {self._active!r}"


def _is_labelled(run: Run) -> bool:
    """Tell whether each step that was chosen among several touched only what is labelled."""
    steps = run.footprints
    chosen = [steps[step] for step in run.record.choice_steps if step < len(steps)]
    return bool(chosen) and not any(step.is_open for step in chosen)


def _default_members(seed: int, clock: Callable[[], float]) -> list[Member]:
    return [
        Member("PCT depth 1", Pct(seed, 1), clock),
        Member("PCT depth 2", Pct(seed, 2), clock),
        Member("PCT depth 3", Pct(seed, 3), clock),
        Member("uniform walk", UniformWalk(seed), clock),
        Member("random walk", RandomWalk(seed), clock),
        Member("partial order", PartialOrderSampling(seed), clock),
        Member("preemptions", PreemptionBound(1), clock),
    ]
