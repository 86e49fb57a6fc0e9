"""The table as a page of the documentation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from pyvirt_sim.experiment.table import Cell

HEAD = """\
# The experiment

How soon does each strategy meet each bug of the zoo? For each mutant and strategy there are
{seeds} trials, each with another seed and a budget of {budget} schedules, and each ends with the
first failing run. This page, its table and its pictures are written by `{command}`; do not edit
them.

* `plain-trio` is `trio.run` with a virtual clock: what a test suite has when it runs a test again
  and again. Where a mutant needs what only the engine has (machines that crash, a network) it
  cannot find anything.
* `hypothesis` lets Hypothesis draw whole schedules, one an example, without shrinking.
* The others are the engine's choosers, described in [](../reference/choosers.md). `dpor` reduces
  only programs all of whose state is labelled; the runs that it gives up are counted as well.

"""

TABLE = """
## {title}

| strategy | mutants found by half of the trials | trials that found theirs | median schedules |
|---|---|---|---|
"""

PICTURES = """
The last column is over those trials that found their bug. Most mutants of the zoo show on the
canonical schedule already, which is why the first table says so little: they need the right story
and checker, not the right schedule. The second table leaves them out.

![Which part of the trials has met its bug after so many schedules]({folder}/curves.svg)

![Median number of schedules by mutant and strategy]({folder}/medians.svg)

## By mutant

Median number of schedules to the first detection, with the first and third quartile in brackets and
the share of trials that found it where that is not all; `-` where none did. `out of turn` is the
fewest decisions that differ from the canonical schedule after shrinking, and `batch` tells whether
the scheduler that Trio has today can meet the bug at all. All figures:
[results.csv]({folder}/results.csv).

"""


def page(cells: Sequence[Cell], *, command: str, folder: str) -> str:
    """The whole page, in Markdown.

    Args:
        cells: The table.
        command: What wrote it.
        folder: Where the pictures are, relative to the page.
    """
    seeds, budget = max(one.seeds for one in cells), max(one.budget for one in cells)
    text = HEAD.format(seeds=seeds, budget=budget, command=command)
    text += TABLE.format(title="All of the zoo") + "\n".join(_strategy_rows(cells)) + "\n"
    ordered = {one.mutant for one in cells if one.deviations}
    if ordered:
        rare = [one for one in cells if one.mutant in ordered]
        text += TABLE.format(title="Bugs that need a decision out of turn")
        text += "\n".join(_strategy_rows(rare)) + "\n"
    text += PICTURES.format(folder=folder)
    return text + "\n".join(_mutant_rows(cells)) + "\n"


def _strategy_rows(cells: Sequence[Cell]) -> Iterator[str]:
    for strategy in dict.fromkeys(one.strategy for one in cells):
        mine = [one for one in cells if one.strategy == strategy]
        by_half = sum(math.isfinite(one.median) for one in mine)
        found, trials = sum(one.detected for one in mine), sum(one.seeds for one in mine)
        medians = sorted(one.median for one in mine if math.isfinite(one.median))
        middle = f"{medians[len(medians) // 2]:.0f}" if medians else "-"
        yield f"| {strategy} | {by_half} of {len(mine)} | {100 * found / trials:.0f} % | {middle} |"


def _mutant_rows(cells: Sequence[Cell]) -> Iterator[str]:
    strategies = list(dict.fromkeys(one.strategy for one in cells))
    yield f"| mutant | {' | '.join(strategies)} | out of turn | batch | shrunk in |"
    yield "|---" * (len(strategies) + 4) + "|"
    for mutant in dict.fromkeys(one.mutant for one in cells):
        mine = {one.strategy: one for one in cells if one.mutant == mutant}
        words = [_words(mine.get(name)) for name in strategies]
        yield f"| {mutant} | {' | '.join(words)} | {' | '.join(_shrunk(list(mine.values())))} |"


def _words(cell: Cell | None) -> str:
    if cell is None or not cell.detected:
        return "-"
    low, median, high = map(_count, (cell.low, cell.median, cell.high))
    rate = "" if cell.detected == cell.seeds else f" {100 * cell.rate:.0f} %"
    return f"{median} [{low}, {high}]{rate}"


def _count(value: float) -> str:
    return f"{value:.0f}" if math.isfinite(value) else "∞"


def _shrunk(cells: Sequence[Cell]) -> tuple[str, str, str]:
    """Deviations, reachability and time to shrink: of the trials that were shrunk."""
    deviations = [one.deviations for one in cells if one.deviations is not None]
    times = [one.shrink_s for one in cells if one.shrink_s is not None]
    if not deviations:
        return "-", "-", "-"
    is_batch = any(one.is_batch for one in cells)
    return str(min(deviations)), "yes" if is_batch else "no", f"{min(times):.2f} s"
