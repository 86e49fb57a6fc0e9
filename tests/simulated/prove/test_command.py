"""``pyvirt-sim prove`` prints what was covered, and says by its status whether all is proved."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import json

import pytest

from pyvirt_sim.cli import prove as command
from pyvirt_sim.cli.prove import prove
from pyvirt_sim.prove import Effort, Part
from pyvirt_sim.prove.permuted import Sensitivity

GUESTFWD = "unplug-guestfwd"


def test_the_table_counts_what_the_parts_tell(capsys: pytest.CaptureFixture[str]) -> None:
    assert prove(GUESTFWD, jobs=1) == 0
    told = capsys.readouterr().out
    rivals = [line for line in told.splitlines() if line.startswith("  rival")]
    runs = sum(int(line.split(" runs")[0].split()[-1]) for line in rivals)
    row = next(line for line in told.splitlines() if line.startswith(f"{GUESTFWD}  "))
    assert [GUESTFWD, "4", str(runs), str(runs), "yes", "0"] == row.split()[:6]
    assert f"1 of 1 proved: {runs} runs" in told


def test_what_was_not_covered_is_not_proved(capsys: pytest.CaptureFixture[str]) -> None:
    assert prove(GUESTFWD, as_json=True, schedules=2, jobs=1) == 1
    [proof] = json.loads(capsys.readouterr().out)
    assert (proof["proved"], proof["complete"], proof["violations"]) == (False, False, 0)
    assert [part["runs"] for part in proof["parts"]] == [2, 2, 2, 2]
    assert proof["seconds"] > 0


def test_restarts_are_counted_by_place_and_schedule(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    efforts: list[Effort] = []

    def search(effort: Effort, piece: object) -> tuple[str, Part]:
        efforts.append(effort)
        return real(Effort(schedules=1), piece)  # type: ignore[arg-type]

    real = command._prove
    monkeypatch.setattr(command, "_prove", search)
    assert prove("restart-equivalence", schedules_of_a_crash=5, jobs=1) == 1
    stories = len(efforts)
    assert {5} == {effort.schedules_of_a_crash for effort in efforts}
    told = capsys.readouterr().out
    assert f"{stories} crash points, {stories} crashes, 0 domains lost, 0 events lost" in told


def test_permuted_rows_are_summed_by_kind(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def rows(name: str) -> tuple[list[Sensitivity], float]:
        one = Sensitivity(
            kind=name,
            change="announce early",
            is_early=True,
            row=(),
            broken="removed-means-gone",
            violation="it is there",
            story="rival: query",
            schedules=7,
        )
        return [one], 1.5

    monkeypatch.setattr(command, "_sensitivities", rows)
    assert prove(GUESTFWD, "unplug-rng", permuted=True, jobs=1) == 0
    told = capsys.readouterr().out.splitlines()
    assert ["guestfwd", "1", "of", "1", "7", "0", "of", "0", "1.5"] in [one.split() for one in told]
    assert told[-1] == "2 of 2 early rows found in fewer than 200 schedules"


@pytest.mark.parametrize("names", [(), ("unplug-nothing",)])
def test_what_there_is_not_is_no_proof(
    names: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert prove(*names) == 2
    assert "--list" in capsys.readouterr().err
