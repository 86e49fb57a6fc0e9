"""Which strategy meets which race soonest, and what each costs per run.

``python -m tests.benchmarks.strategies`` prints two tables: mean runs to the first failure over
several seeds, for three races; and the time of a run beside that of a random walk.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

from pyvirt_sim.engine import (
    Canonical,
    Chooser,
    Dpor,
    Exhaustive,
    Metrics,
    PartialOrderSampling,
    Pct,
    Portfolio,
    PreemptionBound,
    RandomWalk,
    RedundantRun,
    UniformWalk,
    hunt,
    simulate,
)
from tests.benchmarks.engine import messages, two_hundred_tasks
from tests.benchmarks.table import Row
from tests.sim.engine.choosers.programs import lost_update, shallow, starvation

Program = Callable[[], Awaitable[Any]]
Make = Callable[[int], Chooser]

SEEDS = 30
CAP = 2000
BLOCKS = 9

RACES: dict[str, Program] = {
    "shallow": shallow,
    "lost update": lost_update,
    "starvation": starvation,
}
STRATEGIES: dict[str, Make] = {
    "random walk": RandomWalk,
    "uniform walk": UniformWalk,
    "partial order": PartialOrderSampling,
    "PCT depth 1": lambda seed: Pct(seed, 1),
    "PCT depth 2": lambda seed: Pct(seed, 2),
    "PCT depth 3": lambda seed: Pct(seed, 3),
    "portfolio": Portfolio,
}
# These have no seed: their first failure is always the same run.
SYSTEMATIC: dict[str, Make] = {
    "preemptions": lambda _: PreemptionBound(),
    "every schedule": lambda _: Exhaustive(),
    "DPOR": lambda _: Dpor(),
}


def mean_runs(program: Program, make: Make, seeds: int) -> tuple[float, int]:
    """Return the mean number of runs to the first failure, and how often there was none by `CAP`.

    A search that found nothing counts with the runs it made: the mean is then a lower bound.
    """
    results = [hunt(program, make(1000 * seed), CAP) for seed in range(seeds)]
    runs = [result.schedules + result.redundant for result in results]
    return statistics.mean(runs), sum(result.found is None for result in results)


def print_first_hits() -> None:
    """Print the table of mean runs to the first failure."""
    print(f"mean runs to the first failure, {SEEDS} seeds, at most {CAP} runs")
    print("".join(["strategy".ljust(16), *(name.rjust(14) for name in RACES)]))
    for name, make in {**STRATEGIES, **SYSTEMATIC}.items():
        cells: list[str] = []
        for program in RACES.values():
            mean, missed = mean_runs(program, make, SEEDS if name in STRATEGIES else 1)
            cells.append(f"{'>' * bool(missed)}{mean:.1f}".rjust(14))
        print("".join([name.ljust(16), *cells]))


def _make_runs(program: Program, chooser: Chooser, count: int) -> None:
    for _ in range(count):
        try:
            simulate(program, chooser=chooser)
        except RedundantRun:
            pass


def costs(program: Program, runs: int) -> dict[str, float]:
    """Return the time of a run, seconds, by strategy: medians of blocks that take turns."""
    makers: dict[str, Make] = {
        **STRATEGIES,
        **SYSTEMATIC,
        "canonical": lambda _: Canonical(),
        "random, metrics": lambda seed: Metrics(RandomWalk(seed)),
    }
    choosers = {name: make(1) for name, make in makers.items()}
    times: dict[str, list[float]] = {name: [] for name in choosers}
    for chooser in choosers.values():
        _make_runs(program, chooser, 4)  # the first ones learn more than the later ones
    for _ in range(BLOCKS):
        for name, chooser in choosers.items():
            gc.collect()
            begin = time.perf_counter()
            _make_runs(program, chooser, runs)
            times[name].append((time.perf_counter() - begin) / runs)
    return {name: statistics.median(blocks) for name, blocks in times.items()}


def print_costs() -> None:
    """Print the table of costs."""
    table = {"10 tasks": costs(messages, 10), "200 tasks": costs(two_hundred_tasks, 2)}
    print("time of a run, as a multiple of a random walk's")
    print("".join(["strategy".ljust(16), *(name.rjust(14) for name in table)]))
    for name in table["10 tasks"]:
        cells = [f"{cost[name] / cost['random walk']:.2f}".rjust(14) for cost in table.values()]
        print("".join([name.ljust(16), *cells]))


def rows() -> list[Row]:
    """Compare the portfolio with a random walk, which is what the Python peers offer."""
    measured: list[Row] = []
    for name, program in RACES.items():
        ours, _ = mean_runs(program, Portfolio, SEEDS)
        peer, _ = mean_runs(program, RandomWalk, SEEDS)
        title = f"portfolio, runs to first {name}"
        measured.append(Row(title, ours, "runs", "random walk", peer, peer / ours, ""))
    return measured


if __name__ == "__main__":
    print_first_hits()
    print()
    print_costs()
