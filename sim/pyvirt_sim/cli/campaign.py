"""``campaign``: long searches over all processors or a cluster."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import attrs
import cyclopts

from pyvirt_sim.campaign import (
    ChunkResult,
    Plan,
    Store,
    StoreError,
    SubjectSummary,
    run_all,
    search,
    summarize,
)
from pyvirt_sim.campaign.plan import DEFAULT_STRATEGIES
from pyvirt_sim.cli.progress import Progress
from pyvirt_sim.engine.choosers.named import CHOOSERS
from pyvirt_sim.explore import subject_named

INTERRUPTED = 130


def campaign(
    *names: str,
    schedules: int = 1000,
    strategies: Annotated[tuple[str, ...], cyclopts.Parameter(consume_multiple=True)] = (
        DEFAULT_STRATEGIES
    ),
    seed: int = 0,
    chunk: int = 250,
    workers: int | None = None,
    scheduler: str | None = None,
    store: Path | None = None,
    as_json: Annotated[bool, cyclopts.Parameter("--json", negative="")] = False,
) -> int:
    """Run subjects under many schedules of many strategies, and keep every kind of failure.

    Failures that the same pair of steps decides are told once. With a store, an interrupted
    campaign goes on where it was when the same command is given again.

    Exit status: 0 when every mutant was found, every scenario held and every mark was hit, 1
    otherwise, 2 when it could not be run, 130 when it was interrupted.

    Args:
        names: Mutants and scenarios.
        schedules: Runs for each subject and strategy.
        strategies: Choosers, by name.
        seed: The same seed gives the same campaign, however many workers there are.
        chunk: Runs that one worker does at a time.
        workers: Processes of this machine; as many as it has processors if not given.
        scheduler: Address of a Dask scheduler, such as tcp://host:8786, whose workers do it.
        store: Folder that keeps what was done and found.
        as_json: Print JSON instead of text.
    """
    try:
        subjects = {name: subject_named(name) for name in names}
        plan = Plan(
            subjects=tuple(subjects),
            strategies=_known(strategies),
            schedules=schedules,
            seed=seed,
            chunk=chunk,
        )
        kept = None if store is None else Store(store, plan)
        results = {} if kept is None else kept.load()
    except (KeyError, ValueError, StoreError, OSError) as error:
        print(f"error: {error.args[0] if error.args else error}", file=sys.stderr)
        return 2
    try:
        is_whole = _perform(plan, results, kept, workers, scheduler, is_shown=not as_json)
    except (ModuleNotFoundError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    summaries = summarize(results.values())
    if as_json:
        print(json.dumps(_as_json(plan, results, summaries, not is_whole), indent=2))
    else:
        print("\n".join(_as_text(summaries)))
        if not is_whole:
            print(f"interrupted: {len(results)} of {len(list(plan.chunks()))} chunks are done")
    if not is_whole:
        return INTERRUPTED
    is_as_expected = all(
        subjects[name].is_mutant == bool(one.failures) and not one.missed
        for name, one in summaries.items()
    )
    return 0 if is_as_expected else 1


def _perform(
    plan: Plan,
    results: dict[str, ChunkResult],
    kept: Store | None,
    workers: int | None,
    scheduler: str | None,
    *,
    is_shown: bool,
) -> bool:
    """Do what ``results`` lacks, add it there, and say whether all of it was done."""
    todo = [one for one in plan.chunks() if one.name not in results]
    total = len(todo) + len(results)
    with Progress("campaign", total, is_shown=is_shown, unit="chunks") as progress:
        try:
            for result in run_all(search, todo, workers=workers, scheduler=scheduler):
                if kept is not None:
                    kept.add(result)
                results[result.chunk.name] = result
                progress.update(len(results))
        except KeyboardInterrupt:
            return False
    return True


def _known(strategies: tuple[str, ...]) -> tuple[str, ...]:
    for name in strategies:
        if name not in CHOOSERS:
            raise KeyError(f"no strategy is called {name!r}; there are {', '.join(CHOOSERS)}")
    return strategies


def _as_json(
    plan: Plan,
    results: dict[str, ChunkResult],
    summaries: dict[str, SubjectSummary],
    is_interrupted: bool,
) -> dict[str, Any]:
    return {
        "seed": plan.seed,
        "chunks": len(results),
        "is_interrupted": is_interrupted,
        "subjects": {
            name: {
                "schedules": one.schedules,
                "failures": one.failures,
                "strategies": {key: attrs.asdict(each) for key, each in one.strategies.items()},
                "catches": [attrs.asdict(each) for each in one.catches.values()],
                "unexplained": one.unexplained,
                "marks": one.marks,
            }
            for name, one in summaries.items()
        },
    }


def _as_text(summaries: dict[str, SubjectSummary]) -> Iterator[str]:
    for name, one in summaries.items():
        yield f"{name}: {one.schedules} schedules, {one.failures} failures"
        width = max(map(len, one.strategies))
        for strategy, did in one.strategies.items():
            line = f"  {strategy:{width}}  {did.schedules:7} runs  {did.failures:7} failed"
            yield f"{line}  {did.steps:9} steps  {did.seconds:7.1f} s  {did.ended}".rstrip()
        for catch in one.catches.values():
            yield f"  {catch.count} times: {catch.pair}"
            yield f"    {catch.message}"
            deviations = "1 decision" if catch.deviations == 1 else f"{catch.deviations} decisions"
            yield f"    {deviations} out of turn: pyvirt-sim replay {name} --tape {catch.tape}"
        if one.unexplained:
            yield f"  {one.unexplained} more failures that were not told apart"
        yield from (f"  never met: {label}" for label in one.missed)
