"""The selftest says no when a promise does not hold, and runs what it says it runs."""

from __future__ import annotations

import json
import subprocess
import tomllib
from pathlib import Path

import pytest

from pyvirt_sim.engine.selftest import __main__ as command
from pyvirt_sim.engine.selftest import (
    fresh,
    hazards,
    memory,
    proofs,
    recordings,
    replays,
    searches,
    versions,
)
from pyvirt_sim.engine.selftest.check import Check, Verdict
from pyvirt_sim.engine.selftest.fresh import Fresh, run_fresh

SAME = {"engine": {"a": ["x"], "b": ["y"]}, "trio": {"a": ["x"], "b": ["y"]}}
OTHER = {"engine": {"a": ["x"], "b": ["z"]}, "trio": {"a": ["x2"], "b": ["y2"]}}


def test_every_hazard_has_one_outcome_in_two_processes():
    verdict = hazards.check(processes=2)
    assert verdict.problems == ()
    assert len(verdict.table) == 14


def test_a_hazard_that_differs_between_processes_is_a_problem():
    assert hazards.judge([SAME, OTHER]).problems == ("b: 2 different outcomes over 2 processes",)


def test_hazards_that_never_vary_under_trio_show_nothing():
    assert hazards.judge([SAME, SAME]).problems == (
        "only 0 hazards vary under trio.run: the programs show nothing",
    )


def test_a_tape_replays_in_other_processes():
    verdict = replays.check(processes=2)
    assert verdict.problems == ()
    assert verdict.summary.startswith("2 of 2 processes")


def test_a_process_that_replays_otherwise_is_a_problem(monkeypatch):
    _, expected = recordings.record()
    other = json.dumps({**expected, "over tcp": "other"})
    monkeypatch.setattr(replays, "run_fresh", lambda processes: [other, json.dumps(expected)])
    verdict = replays.check(processes=2)
    assert verdict.summary.startswith("1 of 2 processes")
    assert verdict.problems == (f"over tcp: other instead of {expected['over tcp']}",)


def test_more_left_behind_is_a_problem():
    assert memory.judge((1000, 9000), (1200, 11000)).holds
    assert memory.judge((1000, 9000), (1201, 9000)).problems == (
        "201 more objects after 10000 runs",
    )
    assert memory.judge((1000, 9000), (1000, 11049)).problems == (
        "2049 KiB more memory after 10000 runs",
    )


def test_the_proof_finds_what_it_must_find_and_says_what_it_did_not(monkeypatch):
    monkeypatch.setattr(proofs, "OPEN", (proofs.memory_of_the_module, recordings.lost_reply))
    monkeypatch.setattr(proofs, "PROGRAMS", {"lost reply": recordings.lost_reply})
    verdict = proofs.check()
    assert verdict.problems == ("lost_reply: its nondeterminism was not found",)
    assert verdict.summary.startswith("1 of 2 programs found")
    assert verdict.table[1] == "lost reply: 18 runs alike, hash seeds (1, 2, 3)"


def test_the_reduced_search_is_held_to_what_was_counted_by_hand(monkeypatch):
    assert searches.check().problems == ()
    monkeypatch.setattr(searches, "CASES", (searches.Case(2, 1, schedules=7, classes=3),))
    assert searches.check().problems == (
        "2 tasks, 1 counter: 6 schedules, not 7",
        "2 tasks, 1 counter: 4 runs by reduction, not 3",
    )


def test_the_lowest_trio_is_the_one_that_can_be_installed():
    project = tomllib.loads(Path(__file__).parents[3].joinpath("pyproject.toml").read_text())
    lowest = ".".join(str(part) for part in versions.LOWEST_TRIO[:2])
    assert f"trio>={lowest}" in project["project"]["dependencies"]


def test_an_installation_that_fails_is_a_row_not_a_crash(monkeypatch):
    def refuse(python: str, *arguments: str) -> str:
        raise RuntimeError("pip install: no such release")

    monkeypatch.setattr(versions, "_pip", refuse)
    monkeypatch.setattr(subprocess, "run", lambda *args, **options: None)
    monkeypatch.setattr(versions, "_version_of", lambda python: (3, 11, 0))
    rows = versions.rows("python", ["9.9.9"], [])
    assert [str(row).split(maxsplit=4) for row in rows] == [
        ["Python", "3.11.0", "Trio", "9.9.9", "pip install: no such release"]
    ]


def test_the_pairs_of_versions_are_listed_by_python():
    found = [
        versions.Row("3.11.7", "0.25.0", "ok"),
        versions.Row("3.11.7", "0.26.0", "another digest"),
        versions.Row("3.13.0", "0.25.0", "ok"),
    ]
    assert versions.listed(found) == [
        "Python 3.11.7, Trio: 0.25.0 ok, 0.26.0 FAILED",
        "Python 3.13.0, Trio: 0.25.0 ok",
    ]


def test_a_process_that_fails_is_reported_with_its_last_words():
    with pytest.raises(RuntimeError, match=r"status 3:\nlast words"):
        run_fresh([Fresh(["-c", "import sys; print('last words'); sys.exit(3)"])])


def test_a_child_has_the_hash_seed_and_the_code_it_should_have():
    words = "import os, sys; print(os.environ['PYTHONHASHSEED'], sys.path[1])"
    assert run_fresh([Fresh(["-c", words], hash_seed=7)]) == [f"7 {fresh.python_path()}\n"]


def crash() -> Verdict:
    raise ValueError("broken check")


CHECKS = (
    Check("good", "it holds", lambda: Verdict("3 of 3", (), ("one", "two"))),
    Check("bad", "it does not", lambda: Verdict("2 of 3", ("the third",)), is_quick=False),
    Check("crash", "nobody knows", crash, is_quick=False),
)


def test_the_command_fails_when_one_check_does_not_hold(monkeypatch, capsys):
    monkeypatch.setattr(command, "CHECKS", CHECKS)
    assert command.main([]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines if not line.startswith(" ")] == [
        ["ok", "good"],
        ["FAILED", "bad"],
        ["FAILED", "crash"],
    ]
    assert "       ! the third" in lines
    assert lines[-1] == "       ! ValueError: broken check"


def test_the_command_succeeds_when_all_selected_checks_hold(monkeypatch, capsys):
    monkeypatch.setattr(command, "CHECKS", CHECKS)
    assert command.main(["--quick", "--list"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["         one", "         two"]
    assert command.main(["good", "--json"]) == 0
    [document] = json.loads(capsys.readouterr().out)
    assert document["holds"] is True
    assert document["table"] == ["one", "two"]


def test_an_unknown_check_is_refused(capsys):
    with pytest.raises(SystemExit):
        command.main(["nonsense"])
    assert "no such check: nonsense" in capsys.readouterr().err
