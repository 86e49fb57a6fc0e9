"""``experiment``: the project's results table, its pictures and its page."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import cyclopts

from pyvirt_sim.campaign import ResultFile, StoreError, run_all, write_whole
from pyvirt_sim.cli.progress import Progress
from pyvirt_sim.experiment import STRATEGIES, Trial, TrialResult, perform, tabulate, write_csv
from pyvirt_sim.experiment.page import page
from pyvirt_sim.experiment.plots import draw_curves, draw_medians
from pyvirt_sim.zoo import mutant_slugs

FULL: Final = (30, 1000)
QUICK: Final = (3, 100)
"""Seeds and schedules of the two forms."""
SHRUNK_BY: Final = "portfolio"
"""Whose first finding of each mutant is shrunk: that depends on the bug, not on who found it."""
TRIALS = "trials.jsonl"


def experiment(
    *mutants: str,
    quick: Annotated[bool, cyclopts.Parameter(negative="")] = False,
    output: Path = Path("pyvirt-experiment"),
    workers: int | None = None,
    scheduler: str | None = None,
    again: Annotated[bool, cyclopts.Parameter(negative="")] = False,
) -> int:
    """Run every strategy on every mutant, and write table, pictures and page.

    The full form, 30 seeds of 1,000 schedules, takes hours; it goes on where it was when it is
    interrupted and started again. The quick form, 3 seeds of 100 schedules, takes minutes.

    Args:
        mutants: Which; all of them if none is given.
        quick: The quick form.
        output: Folder for experiment.md and, in experiment/, results.csv and the pictures.
        workers: Processes of this machine; as many as it has processors if not given.
        scheduler: Address of a Dask scheduler whose workers do it.
        again: Forget the trials that an earlier start has made.
    """
    unknown = sorted(set(mutants) - set(mutant_slugs()))
    if unknown:
        print(f"error: no mutant is called {', '.join(unknown)}", file=sys.stderr)
        return 2
    folder = output / "experiment"
    folder.mkdir(parents=True, exist_ok=True)
    kept = ResultFile(folder / TRIALS, TrialResult)
    if again:
        kept.path.unlink(missing_ok=True)
    seeds, budget = QUICK if quick else FULL
    wanted = list(_trials(mutants or mutant_slugs(), seeds, budget))
    try:
        results = {one.trial: one for one in kept.load()}
        todo = [one for one in wanted if one not in results]
        with Progress("experiment", len(wanted), is_shown=True, unit="trials") as progress:
            for result in run_all(perform, todo, workers=workers, scheduler=scheduler):
                kept.add(result)
                results[result.trial] = result
                progress.update(len(wanted) - len(todo) + len(results))
    except KeyboardInterrupt:
        print(f"interrupted: the trials done are in {kept.path}", file=sys.stderr)
        return 130
    except (ModuleNotFoundError, StoreError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    command = "pyvirt-sim experiment --quick" if quick else "pyvirt-sim experiment"
    _write([results[one] for one in wanted], folder, output / "experiment.md", command)
    print(f"{len(wanted)} trials: {output / 'experiment.md'}")
    return 0


def _trials(mutants: tuple[str, ...], seeds: int, budget: int) -> Iterator[Trial]:
    for mutant in mutants:
        for strategy in STRATEGIES:
            for seed in range(seeds):
                yield Trial(
                    mutant=mutant,
                    strategy=strategy,
                    seed=seed,
                    budget=budget,
                    is_shrunk=strategy == SHRUNK_BY and seed == 0,
                )


def _write(results: list[TrialResult], folder: Path, path: Path, command: str) -> None:
    cells = tabulate(results)
    write_csv(cells, folder / "results.csv")
    draw_curves(results, folder / "curves.svg")
    draw_medians(cells, folder / "medians.svg")
    write_whole(path, page(cells, command=command, folder=folder.name))
