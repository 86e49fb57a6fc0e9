"""The table as pictures; SVG that is the same for the same results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyvirt_sim.experiment.table import Cell
from pyvirt_sim.experiment.trial import TrialResult

_SALT = "pyvirt_sim"
_WIDTH_IN = 9.0


def draw_curves(results: Sequence[TrialResult], path: Path) -> None:
    """For each strategy, which part of all trials had met its bug after so many schedules.

    Raises:
        ModuleNotFoundError: matplotlib is not installed; the extra ``experiment`` has it.
    """
    pyplot = _pyplot()
    figure, axes = pyplot.subplots(figsize=(_WIDTH_IN, 5))
    budget = max(one.trial.budget for one in results)
    for strategy in dict.fromkeys(one.trial.strategy for one in results):
        mine = [one for one in results if one.trial.strategy == strategy]
        counts = sorted(one.schedules for one in mine if one.schedules is not None)
        parts = [100 * number / len(mine) for number in range(1, len(counts) + 1)]
        end = 100 * len(counts) / len(mine)
        axes.step([1, *counts, budget], [0, *parts, end], where="post", label=strategy)
    axes.set_xscale("log")
    axes.set_xlabel("schedules")
    axes.set_ylabel("trials that have met their bug, %")
    axes.set_ylim(0, 101)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="lower right", fontsize="small")
    _save(figure, path)


def draw_medians(cells: Sequence[Cell], path: Path) -> None:
    """A square for each mutant and strategy: the median number of schedules, white if none.

    Raises:
        ModuleNotFoundError: matplotlib is not installed; the extra ``experiment`` has it.
    """
    pyplot = _pyplot()
    from matplotlib.colors import LogNorm

    mutants = list(dict.fromkeys(one.mutant for one in cells))
    strategies = list(dict.fromkeys(one.strategy for one in cells))
    by_place = {(one.mutant, one.strategy): one.median for one in cells}
    nothing = float("nan")
    rows = [
        [
            nothing if by_place.get((mutant, name), float("inf")) == float("inf")
            else by_place[mutant, name]
            for name in strategies
        ]
        for mutant in mutants
    ]  # fmt: skip
    figure, axes = pyplot.subplots(figsize=(_WIDTH_IN, 2.2 + 0.19 * len(mutants)))
    budget = max(2, *(one.budget for one in cells))
    image = axes.imshow(rows, aspect="auto", cmap="viridis_r", norm=LogNorm(1, budget))
    axes.set_xticks(range(len(strategies)), strategies, rotation=40, ha="right")
    axes.set_yticks(range(len(mutants)), mutants, fontsize="x-small")
    figure.colorbar(image, ax=axes, label="median schedules to the first detection")
    _save(figure, path)


def _pyplot() -> Any:
    try:
        import matplotlib as mpl
    except ModuleNotFoundError as error:
        reason = "plots need matplotlib; install pyvirt-trio[experiment]"
        raise ModuleNotFoundError(reason, name=error.name) from None
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = _SALT
    mpl.rcParams["svg.fonttype"] = "none"
    from matplotlib import pyplot as plt

    return plt


def _save(figure: Any, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    _pyplot().close(figure)
