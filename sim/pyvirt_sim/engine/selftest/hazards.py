"""Every order that Trio takes from memory addresses gives one outcome in all processes.

Each hazard is a small program whose outcome depends on such an order. A child process runs all of
them, three times each with other allocations in between, under the engine and then, to show that
the program shows something, under ``trio.run`` with Trio as it came. The parent compares over
processes with different hash seeds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import trio
from trio.testing import MockClock

from pyvirt_sim.engine import ordering
from pyvirt_sim.engine.choosers.basic import RandomWalk
from pyvirt_sim.engine.run import simulate
from pyvirt_sim.engine.selftest.check import Verdict
from pyvirt_sim.engine.selftest.fresh import Fresh, run_fresh
from pyvirt_sim.engine.selftest.hazard_programs import HAZARDS

__all__ = ["check", "judge"]

PROCESSES: Final = 24
REPEATS: Final = 3
SEED: Final = 20171


def _outcomes(run: Callable[[Any], Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    rubbish: list[object] = []
    for name, program in HAZARDS.items():
        for repeat in range(REPEATS):
            # Moves the addresses of what is made next.
            rubbish.append([object() for _ in range(repeat * 773)])
            found.setdefault(name, []).append(repr(run(program)))
    return found


def _under_engine(program: Any) -> Any:
    run = simulate(program, chooser=RandomWalk(SEED))
    return run.unwrap(), run.digest


def _under_trio(program: Any) -> Any:
    return trio.run(program, clock=MockClock(autojump_threshold=0))


def child() -> None:
    """Run all hazards and print their outcomes."""
    engine = _outcomes(_under_engine)
    ordering.uninstall()
    print(json.dumps({"engine": engine, "trio": _outcomes(_under_trio)}))


Results = list[Mapping[str, Mapping[str, list[str]]]]


def _distinct(results: Results, side: str, name: str) -> int:
    return len({outcome for result in results for outcome in result[side][name]})


def judge(results: Results) -> Verdict:
    """Compare outcomes: one item per process, then by side (``engine``, ``trio``), then hazard."""
    names = list(results[0]["engine"])
    problems: list[str] = []
    table: list[str] = []
    for name in names:
        engine, plain = (_distinct(results, side, name) for side in ("engine", "trio"))
        table.append(f"{name}: {engine} under the engine, {plain} under trio.run")
        if engine != 1:
            problems.append(f"{name}: {engine} different outcomes over {len(results)} processes")
    varied = sum(_distinct(results, "trio", name) > 1 for name in names)
    if varied < len(names) / 2:
        problems.append(f"only {varied} hazards vary under trio.run: the programs show nothing")
    summary = (
        f"{len(names)} hazards, {len(results)} processes, each with a hash seed of its own and "
        f"{REPEATS} runs; {varied} of the hazards vary under trio.run"
    )
    return Verdict(summary, tuple(problems), tuple(table))


def check(processes: int = PROCESSES) -> Verdict:
    """Compare the outcomes of every hazard over fresh processes."""
    arguments = ["-c", f"from {__name__} import child; child()"]
    texts = run_fresh([Fresh(arguments, hash_seed=seed) for seed in range(processes)])
    return judge([json.loads(text) for text in texts])
