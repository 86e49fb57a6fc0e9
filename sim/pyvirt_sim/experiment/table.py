"""Many trials as a table: one line for each mutant and strategy."""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import attrs

from pyvirt_sim.experiment.trial import TrialResult


@attrs.frozen(kw_only=True)
class Cell:
    """What one strategy did with one mutant, over all seeds.

    Args:
        mutant: Its slug.
        strategy: Its name.
        seeds: How many trials.
        budget: Schedules that each had.
        detected: How many of them found it.
        median: Schedules to the first detection; infinite when half of the trials found nothing.
        low: The first quartile of them.
        high: The third quartile of them.
        seconds: Median time of a trial.
        deviations: Fewest decisions out of turn, where any trial was shrunk.
        shrink_s: Median time that shrinking took.
        is_batch: Whether today's Trio can meet it.
    """

    mutant: str
    strategy: str
    seeds: int
    budget: int
    detected: int
    median: float
    low: float
    high: float
    seconds: float
    deviations: int | None
    shrink_s: float | None
    is_batch: bool | None

    @property
    def rate(self) -> float:
        """Which part of the trials found it."""
        return self.detected / self.seeds


def tabulate(results: Iterable[TrialResult]) -> tuple[Cell, ...]:
    """One cell for each mutant and strategy, sorted by mutant, strategies in their first order."""
    groups: dict[tuple[str, str], list[TrialResult]] = {}
    for one in sorted(results, key=lambda one: (one.trial.mutant, one.trial.seed)):
        groups.setdefault((one.trial.mutant, one.trial.strategy), []).append(one)
    return tuple(_cell(*names, group) for names, group in groups.items())


def _cell(mutant: str, strategy: str, group: Sequence[TrialResult]) -> Cell:
    counts = sorted(math.inf if one.schedules is None else one.schedules for one in group)
    shrunk = [one for one in group if one.shrink_s is not None]
    times = [one.shrink_s for one in shrunk if one.shrink_s is not None]
    verdicts = {one.is_batch for one in shrunk}
    return Cell(
        mutant=mutant,
        strategy=strategy,
        seeds=len(group),
        budget=group[0].trial.budget,
        detected=sum(one.schedules is not None for one in group),
        median=_quantile(counts, 0.5),
        low=_quantile(counts, 0.25),
        high=_quantile(counts, 0.75),
        seconds=statistics.median(one.seconds for one in group),
        deviations=min(
            (one.deviations for one in shrunk if one.deviations is not None), default=None
        ),
        shrink_s=statistics.median(times) if times else None,
        is_batch=(True in verdicts) if verdicts else None,
    )


def _quantile(counts: Sequence[float], part: float) -> float:
    """The value that ``part`` of the sorted ``counts`` do not exceed: one of them, none between."""
    return counts[max(math.ceil(part * len(counts)) - 1, 0)]


def write_csv(cells: Sequence[Cell], path: Path) -> None:
    """Write ``cells`` there, one line each; an infinite count is an empty field."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(field.name for field in attrs.fields(Cell))
        writer.writerows([_field(value) for value in attrs.astuple(one)] for one in cells)


def _field(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else ""
    return "" if value is None else value
