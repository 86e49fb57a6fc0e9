"""What a schedule costs natively and through Hypothesis, and how long the founding bug shrinks.

``python -m tests.benchmarks --only hypothesis`` prints the rows. All arms run the founding story:
the shipped library for the cost of a run, its mutant for shrinking. The arms of a row take turns in
short blocks in one process, and the medians of the blocks are compared.

The peer of both is the plain way to let Hypothesis decide: one ``data.draw`` for each choice.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pyvirt_sim.engine import Chooser, Drawn, Portfolio, RandomWalk, Run, hunt, shrink, simulate
from pyvirt_sim.engine.hypothesis import schedules, simulated
from pyvirt_sim.explore import subject_named
from tests.benchmarks.table import Row

MUTANT = "hostdev-removed-before-active-cleared"
BLOCKS = 5
RUNS = 60
PER_WORKLOAD = 20
SHRINKS = 5

Program = Callable[[], Awaitable[Any]]
plain = settings(
    max_examples=RUNS,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def per_second(arm: Callable[[], int]) -> float:
    """Return runs a second of an arm, which returns how many it made."""
    begin = time.perf_counter()
    return arm() / (time.perf_counter() - begin)


def arms(program: Program) -> dict[str, Callable[[], int]]:
    """The ways to run one program under many schedules."""

    def native() -> int:
        chooser = RandomWalk(1)
        for _ in range(RUNS):
            simulate(program, chooser=chooser).unwrap()
        return RUNS

    def below_given() -> int:
        made = 0

        @settings(plain, max_examples=RUNS // PER_WORKLOAD)
        @given(st.integers())
        @simulated(schedules=PER_WORKLOAD, chooser=RandomWalk)
        async def search(_: int) -> None:
            nonlocal made
            made += 1
            await program()

        search()
        return made

    def as_values() -> int:
        made = 0

        @plain
        @given(schedules())
        def run(chooser: Chooser) -> None:
            nonlocal made
            made += 1
            simulate(program, chooser=chooser).unwrap()

        run()
        return made

    def per_choice() -> int:
        made = 0

        @plain
        @given(st.data())
        def run(data: st.DataObject) -> None:
            nonlocal made
            made += 1
            chooser = Drawn(lambda bound: data.draw(st.integers(0, bound - 1)))
            simulate(program, chooser=chooser).unwrap()

        run()
        return made

    return {
        "native": native,
        "@given over simulated()": below_given,
        "strategy schedules()": as_values,
        "data.draw for each choice": per_choice,
    }


def cost_rows() -> list[Row]:
    """Runs a second of the founding scenario, natively and in three ways through Hypothesis."""
    ways = arms(subject_named("hot-unplug").scenario.program)
    measured: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(BLOCKS):
        for name, arm in ways.items():
            measured[name].append(per_second(arm))
    rates = {name: statistics.median(blocks) for name, blocks in measured.items()}
    native, through = rates.pop("native"), rates["@given over simulated()"]
    rows = [
        Row("schedules, founding scenario", native, "runs/s", name, rate, native / rate, aim)
        for (name, rate), aim in zip(rates.items(), ("<= 1.3", "-", ">= 2"), strict=True)
    ]
    slow = rates["data.draw for each choice"]
    name = "schedules below @given, founding scenario"
    return [*rows, Row(name, through, "runs/s", "data.draw each", slow, through / slow, ">= 2")]


def shrink_natively(program: Program, seed: int) -> tuple[float, int, int]:
    """Find the mutant, then return the milliseconds, runs and deviations left of shrinking it."""
    found = hunt(program, Portfolio(seed), 3000).found
    assert found is not None, "the mutant is found"
    begin = time.perf_counter()
    small = shrink(program, found)
    return (time.perf_counter() - begin) * 1000, small.executions, small.after


def shrink_through_draws(program: Program) -> tuple[float, int, int]:
    """Let Hypothesis find and shrink it, choice by choice; the time starts at the first failure."""
    failing: list[Run] = []
    begin, made = 0.0, 0

    @settings(plain, max_examples=3000)
    @given(st.data())
    def search(data: st.DataObject) -> None:
        nonlocal begin, made
        chooser = Drawn(lambda bound: data.draw(st.integers(0, bound - 1)))
        run = simulate(program, chooser=chooser)
        made += bool(failing)
        if run.error is not None:
            begin = begin or time.perf_counter()
            failing.append(run)
            run.unwrap()

    try:
        search()
    except Exception:  # noqa: BLE001 - the bug itself, however it is wrapped
        return (time.perf_counter() - begin) * 1000, made, failing[-1].deviations
    raise AssertionError("Hypothesis did not find the mutant")


def shrink_rows() -> list[Row]:
    """Milliseconds, runs and deviations left of shrinking the founding bug."""
    mutant = subject_named(MUTANT)
    program = mutant.scenario.program
    with mutant.planted():
        ours = [shrink_natively(program, 1000 * seed) for seed in range(1, SHRINKS + 1)]
        theirs = shrink_through_draws(program)
    rows: list[Row] = []
    kinds = (("time", "ms", "< 1000 ms"), ("runs", "runs", "-"), ("left", "deviations", "1"))
    for place, (name, unit, aim) in enumerate(kinds):
        mine = statistics.median(one[place] for one in ours)
        peer = theirs[place]
        title = f"shrinking the founding bug: {name}"
        rows.append(Row(title, mine, unit, "Hypothesis, data.draw each", peer, peer / mine, aim))
    return rows


def rows() -> list[Row]:
    """Measure everything."""
    return [*cost_rows(), *shrink_rows()]


if __name__ == "__main__":
    for measured_row in rows():
        print(measured_row)
