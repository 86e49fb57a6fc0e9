"""The results of many chunks as one."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from pyvirt_sim.campaign.chunk import Catch, ChunkResult


@attrs.define(kw_only=True)
class StrategySummary:
    """What one strategy did with one subject."""

    schedules: int = 0
    failures: int = 0
    steps: int = 0
    seconds: float = 0.0
    ended: str = ""


@attrs.define(kw_only=True)
class SubjectSummary:
    """What is known of one subject.

    Args:
        strategies: By name, what each did.
        catches: By deciding pair, the one with the fewest deviations.
        missed: Marks that no run hit.
    """

    strategies: dict[str, StrategySummary] = attrs.field(factory=dict[str, StrategySummary])
    catches: dict[str, Catch] = attrs.field(factory=dict[str, Catch])
    marks: dict[str, bool] = attrs.field(factory=dict[str, bool])
    unexplained: int = 0

    @property
    def schedules(self) -> int:
        """Runs of all strategies together."""
        return sum(one.schedules for one in self.strategies.values())

    @property
    def failures(self) -> int:
        """Failing runs of all strategies together."""
        return sum(one.failures for one in self.strategies.values())

    @property
    def missed(self) -> tuple[str, ...]:
        """Marks that no run hit, sorted."""
        return tuple(sorted(label for label, was_hit in self.marks.items() if not was_hit))


def summarize(results: Iterable[ChunkResult]) -> dict[str, SubjectSummary]:
    """By subject, what ``results`` say together; their order does not matter, timing aside."""
    subjects: dict[str, SubjectSummary] = {}
    for result in sorted(results, key=lambda one: one.chunk.name):
        subject = subjects.setdefault(result.chunk.subject, SubjectSummary())
        strategy = subject.strategies.setdefault(result.chunk.strategy, StrategySummary())
        strategy.schedules += result.schedules
        strategy.failures += result.failures
        strategy.steps += result.steps
        strategy.seconds += result.seconds
        strategy.ended = result.ended or strategy.ended
        subject.unexplained += result.unexplained
        for label, was_hit in result.marks.items():
            subject.marks[label] = was_hit or subject.marks.get(label, False)
        for catch in result.catches:
            _merge(subject.catches, catch)
    return subjects


def _merge(catches: dict[str, Catch], catch: Catch) -> None:
    """Keep the smallest of each kind; ties go to the earlier one."""
    known = catches.get(catch.pair)
    count = catch.count + (0 if known is None else known.count)
    best = catch if known is None or catch.deviations < known.deviations else known
    catches[catch.pair] = attrs.evolve(best, count=count)
