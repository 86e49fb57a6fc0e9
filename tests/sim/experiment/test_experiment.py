"""The experiment: what it counts, and that the same results make the same files."""

from __future__ import annotations

import math
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyvirt_sim.cli.experiment import experiment
from pyvirt_sim.experiment import STRATEGIES, Trial, TrialResult, perform, tabulate, write_csv
from pyvirt_sim.experiment.baselines import plain_trio
from pyvirt_sim.experiment.page import page
from pyvirt_sim.experiment.plots import draw_curves, draw_medians
from pyvirt_sim.explore import subject_named

MUTANT = "hostdev-removed-before-active-cleared"


def result(schedules: int | None, seed: int = 0, strategy: str = "urw") -> TrialResult:
    trial = Trial(mutant="m", strategy=strategy, seed=seed, budget=100)
    return TrialResult(trial=trial, schedules=schedules, seconds=0.5)


@given(st.lists(st.none() | st.integers(1, 100), min_size=1, max_size=30))
def test_a_median_is_reached_by_half_of_the_trials_and_infinite_when_they_found_nothing(
    counts: list[int | None],
) -> None:
    (cell,) = tabulate(result(count, seed) for seed, count in enumerate(counts))
    found = [one for one in counts if one is not None]
    assert cell.detected == len(found)
    assert cell.low <= cell.median <= cell.high
    assert sum(one <= cell.median for one in found) * 2 >= len(counts) or math.isinf(cell.median)
    assert math.isinf(cell.median) == (2 * len(found) < len(counts))


@given(st.permutations([result(n, n, name) for n in (3, 7, 9) for name in ("urw", "pos")]))
def test_the_order_in_which_trials_end_changes_nothing(results: list[TrialResult]) -> None:
    cells = tabulate(results)
    assert sorted(cells, key=lambda one: one.strategy) == [
        attrs.evolve(cells[0], strategy="pos"),
        attrs.evolve(cells[0], strategy="urw"),
    ]


def test_a_chooser_meets_the_founding_bug_and_the_bug_is_shrunk() -> None:
    found = perform(
        Trial(mutant=MUTANT, strategy="random-walk", seed=0, budget=100, is_shrunk=True)
    )
    assert found.schedules is not None
    assert (found.deviations, found.is_batch) == (1, False)


def test_a_budget_is_kept_and_nothing_found_is_told_so() -> None:
    nothing = perform(Trial(mutant=MUTANT, strategy="preemption-bound-1", seed=0, budget=5))
    assert (nothing.schedules, nothing.deviations) == (None, None)


def test_plain_trio_does_not_meet_what_its_scheduler_cannot_do() -> None:
    assert perform(Trial(mutant=MUTANT, strategy="plain-trio", seed=1, budget=5)).schedules is None


def test_plain_trio_tells_a_hang_and_goes_on_at_other_errors() -> None:
    import trio

    async def hang() -> None:
        await trio.sleep_forever()

    async def wrong() -> None:
        raise ValueError

    assert plain_trio(hang, 0, 5) == 1
    assert plain_trio(wrong, 0, 5) is None


def test_hypothesis_meets_it_too_and_counts_its_examples() -> None:
    found = perform(Trial(mutant=MUTANT, strategy="hypothesis", seed=0, budget=300))
    assert found.schedules is not None
    same = perform(Trial(mutant=MUTANT, strategy="hypothesis", seed=0, budget=300))
    assert found.schedules == same.schedules


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(KeyError, match="no chooser is called 'x'"):
        perform(Trial(mutant=MUTANT, strategy="x", seed=0, budget=1))
    with pytest.raises(KeyError, match="nothing is called 'x'"):
        perform(Trial(mutant="x", strategy="urw", seed=0, budget=1))


def test_the_same_results_make_the_same_files(tmp_path: Path) -> None:
    results = [
        result(None if n == 3 and name == "pos" else n * 7, n, name)
        for name in ("plain-trio", "urw", "pos")
        for n in range(1, 4)
    ]
    texts: list[tuple[str, ...]] = []
    for number in ("1", "2"):
        folder = tmp_path / number
        folder.mkdir()
        cells = tabulate(results)
        write_csv(cells, folder / "results.csv")
        draw_curves(results, folder / "curves.svg")
        draw_medians(cells, folder / "medians.svg")
        texts.append(tuple(one.read_text() for one in sorted(folder.iterdir())))
    assert texts[0] == texts[1]
    assert [line.split(",")[:6] for line in texts[0][2].splitlines()[1:]] == [
        ["m", "plain-trio", "3", "100", "3", "14"],
        ["m", "urw", "3", "100", "3", "14"],
        ["m", "pos", "3", "100", "2", "14"],
    ]
    assert "| m | 14 [7, 21] | 14 [7, 21] | 14 [7, ∞] 67 % | - | - | - |" in page(
        tabulate(results), command="c", folder="f"
    )


def test_every_chooser_of_the_table_can_be_named() -> None:
    assert STRATEGIES[:3] == ("plain-trio", "hypothesis", "portfolio")
    assert subject_named(MUTANT).is_mutant


def test_the_command_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pyvirt_sim.cli.experiment.STRATEGIES", ("portfolio", "urw"))
    monkeypatch.setattr("pyvirt_sim.cli.experiment.QUICK", (2, 40))
    assert experiment(MUTANT, quick=True, output=tmp_path, workers=1) == 0
    trials = tmp_path / "experiment" / "trials.jsonl"
    lines = trials.read_text().splitlines()
    assert len(lines) == 4
    first = (tmp_path / "experiment.md").read_text()
    trials.write_text("\n".join(lines[:2]) + "\n" + lines[2][:40])
    assert experiment(MUTANT, quick=True, output=tmp_path, workers=1) == 0
    assert len(trials.read_text().splitlines()) == 4
    assert (tmp_path / "experiment.md").read_text().splitlines()[:30] == first.splitlines()[:30]
    capsys.readouterr()
    assert experiment("x", output=tmp_path) == 2
    assert capsys.readouterr().err == "error: no mutant is called x\n"
