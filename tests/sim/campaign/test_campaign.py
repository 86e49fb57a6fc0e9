"""Campaigns: the same results whoever does the chunks, and nothing lost when it is cut short."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from pyvirt_sim.campaign import (
    Chunk,
    ChunkResult,
    Plan,
    Store,
    StoreError,
    run_all,
    search,
    summarize,
)
from pyvirt_sim.campaign.store import RESULTS, TAPES
from pyvirt_sim.cli.campaign import campaign
from pyvirt_sim.engine import Tape, replay
from pyvirt_sim.explore import subject_named

MUTANT = "hostdev-removed-before-active-cleared"
PLAN = Plan(
    subjects=(MUTANT, "hot-unplug"), strategies=("random-walk", "pct-2"), schedules=12, chunk=6
)


def timeless(result: ChunkResult) -> ChunkResult:
    """What of a result is the same on every machine."""
    catches = tuple(attrs.evolve(one, shrink_s=0.0) for one in result.catches)
    return attrs.evolve(result, seconds=0.0, catches=catches)


@pytest.fixture(scope="module")
def results() -> dict[str, ChunkResult]:
    return {one.chunk.name: timeless(one) for one in run_all(search, PLAN.chunks(), workers=1)}


def test_a_plan_asks_for_the_same_runs_however_it_is_cut() -> None:
    for size in (1, 5, 12, 100):
        plan = attrs.evolve(PLAN, chunk=size)
        counts: dict[tuple[str, str], int] = {}
        for one in plan.chunks():
            counts[one.subject, one.strategy] = (
                counts.get((one.subject, one.strategy), 0) + one.schedules
            )
        assert set(counts.values()) == {12}


def test_a_systematic_strategy_is_one_chunk_since_no_seed_would_part_it() -> None:
    plan = attrs.evolve(PLAN, strategies=("preemption-bound-1",))
    assert [one.schedules for one in plan.chunks()] == [12, 12]


def test_processes_find_what_one_process_finds(results: dict[str, ChunkResult]) -> None:
    elsewhere = {one.chunk.name: timeless(one) for one in run_all(search, PLAN.chunks(), workers=2)}
    assert results == elsewhere


def test_failures_that_one_pair_of_steps_decides_are_told_once(
    results: dict[str, ChunkResult],
) -> None:
    summary = summarize(results.values())[MUTANT]
    assert summary.failures > 1
    (catch,) = summary.catches.values()
    assert (summary.failures, 1) == (catch.count, catch.deviations)
    assert catch.pair.startswith("removed-means-gone: ")


def test_every_tape_replays_to_its_digest(results: dict[str, ChunkResult]) -> None:
    subject = subject_named(MUTANT)
    with subject.planted():
        for result in results.values():
            for catch in result.catches:
                run = replay(subject.scenario.program, Tape.from_text(catch.tape), detail=True)
                assert (catch.digest, True) == (run.digest, run.error is not None)


def test_the_shipped_library_holds(results: dict[str, ChunkResult]) -> None:
    summary = summarize(results.values())["hot-unplug"]
    assert (summary.schedules, summary.failures) == (24, 0)


def test_a_store_gives_back_what_was_kept(results: dict[str, ChunkResult], tmp_path: Path) -> None:
    store = Store(tmp_path, PLAN)
    for result in results.values():
        store.add(result)
    assert results == Store(tmp_path, PLAN).load()
    (tape,) = (tmp_path / TAPES).iterdir()
    assert Tape.from_text(tape.read_text().strip()).deviations == 1


@pytest.mark.parametrize("cut", [1, 30, 200])
def test_a_line_that_was_cut_off_is_done_again(
    cut: int, results: dict[str, ChunkResult], tmp_path: Path
) -> None:
    store = Store(tmp_path, PLAN)
    first, second, *_ = results.values()
    store.add(first)
    store.add(second)
    file = tmp_path / RESULTS
    file.write_text(file.read_text()[:-cut])
    again = Store(tmp_path, PLAN)
    assert {first.chunk.name: first} == again.load()
    again.add(second)
    assert {first.chunk.name: first, second.chunk.name: second} == again.load()


def test_a_store_of_another_campaign_is_refused(tmp_path: Path) -> None:
    Store(tmp_path, PLAN)
    with pytest.raises(StoreError, match="another campaign"):
        Store(tmp_path, attrs.evolve(PLAN, seed=1))


def test_a_damaged_line_in_the_middle_is_named(
    results: dict[str, ChunkResult], tmp_path: Path
) -> None:
    store = Store(tmp_path, PLAN)
    store.add(next(iter(results.values())))
    with (tmp_path / RESULTS).open("a") as file:
        file.write("{}\n{}\n")
    with pytest.raises(StoreError, match="line 2"):
        store.load()


def test_the_first_failure_can_end_a_chunk() -> None:
    result = search(
        Chunk(subject=MUTANT, strategy="random-walk", seed=0, schedules=500, is_over_at_first=True)
    )
    assert (1, result.schedules) == (result.failures, result.catches[0].schedule)
    assert result.schedules < 500


def test_the_command_goes_on_where_it_was(tmp_path: Path) -> None:
    names = [MUTANT, "--strategies", "random-walk", "--schedules", "24", "--chunk", "8"]
    command = [sys.executable, "-c", "from pyvirt_sim.cli import main; main()", "campaign", *names]
    command += ["--workers", "1", "--store", str(tmp_path), "--json"]

    def answer() -> dict[str, object]:
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stderr) == (0, "")
        return dict(json.loads(ended.stdout))

    first = answer()
    lines = (tmp_path / RESULTS).read_text().splitlines()
    (tmp_path / RESULTS).write_text(lines[0] + "\n")  # as if it had been killed there
    second = answer()
    assert len((tmp_path / RESULTS).read_text().splitlines()) == 3
    for one in (first, second):
        assert one["chunks"] == 3
    assert [found(first)] == [found(second)]


def found(answer: dict[str, object]) -> list[tuple[str, int, str]]:
    subjects = answer["subjects"]
    assert isinstance(subjects, dict)
    return [(one["pair"], one["count"], one["tape"]) for one in subjects[MUTANT]["catches"]]


def test_a_mark_that_no_run_hits_fails_a_campaign(capsys: pytest.CaptureFixture[str]) -> None:
    # The canonical schedule alone meets one of the two orders that the scenario marks.
    assert campaign("hot-unplug", strategies=("portfolio",), schedules=1, workers=1) == 1
    assert capsys.readouterr().out.count("never met: ") == 1
    assert campaign("hot-unplug", strategies=("random-walk",), schedules=40, workers=1) == 0
    assert "never met" not in capsys.readouterr().out


def test_an_interrupted_campaign_keeps_and_tells_what_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = 0

    def interrupted(chunk: Chunk) -> ChunkResult:
        nonlocal done
        done += 1
        if done == 3:
            raise KeyboardInterrupt
        return search(chunk)

    monkeypatch.setattr("pyvirt_sim.cli.campaign.search", interrupted)
    options = {"strategies": ("random-walk",), "schedules": 16, "chunk": 4, "workers": 1}
    assert campaign(MUTANT, **options, store=tmp_path) == 130  # type: ignore[arg-type]
    assert "interrupted: 2 of 4 chunks are done" in capsys.readouterr().out
    assert campaign(MUTANT, **options, store=tmp_path) == 0  # type: ignore[arg-type]
    assert len((tmp_path / RESULTS).read_text().splitlines()) == 4
    assert done == 5


def test_names_that_nobody_has_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert campaign("nothing", workers=1) == 2
    assert "nothing is called 'nothing'" in capsys.readouterr().err
    assert campaign("hot-unplug", strategies=("luck",), workers=1) == 2
    assert "no strategy is called 'luck'" in capsys.readouterr().err
    assert campaign("hot-unplug", schedules=0, workers=1) == 2
    assert "at least 1" in capsys.readouterr().err
