"""What the commands print and how they exit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pyvirt_sim.cli import main

MUTANT = "hostdev-removed-before-active-cleared"


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["pyvirt-sim", *arguments])
    with pytest.raises(SystemExit) as exit_info:
        main()
    out, err = capsys.readouterr()
    code = exit_info.value.code
    assert isinstance(code, int)
    return code, out, err


def in_shell(command: str, hash_seed: int) -> subprocess.CompletedProcess[str]:
    """Run ``command`` as a person would paste it, in a fresh process."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PYTHONHASHSEED": str(hash_seed)}
    return subprocess.run(
        ["/bin/sh", "-c", command], env=env, capture_output=True, text=True, check=False
    )


def test_five_processes_find_the_same_tape_and_the_replay_command_works() -> None:
    command = f"pyvirt-sim hunt {MUTANT} --seed 1 --json"
    hunts = [in_shell(command, seed) for seed in range(5)]
    assert [hunt.stderr for hunt in hunts] == [""] * 5
    facts = [json.loads(hunt.stdout) for hunt in hunts]
    assert all(hunt.returncode == 0 for hunt in hunts)
    assert len({fact["tape"] for fact in facts}) == 1
    assert len({fact["digest"] for fact in facts}) == 1
    assert all(fact == facts[0] for fact in facts)

    again = in_shell(facts[0]["replay"], 77)
    assert again.returncode == 1
    assert "Who receives DeviceRemoved finds no trace of the device." in again.stdout
    assert facts[0]["digest"] in again.stdout


def test_the_json_of_a_hunt_has_the_names_that_programs_rely_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(monkeypatch, capsys, "hunt", MUTANT, "--seed", "1", "--json")
    fact = json.loads(out)
    assert code == 0
    assert fact["found"] is True
    assert (fact["subject"], fact["seed"]) == (MUTANT, 1)
    assert fact["checker"] == "removed-means-gone"
    assert fact["deviations"] == 1
    assert all(isinstance(fact[name], int) for name in ("schedules", "steps", "total_steps"))
    (wrong,) = [one for one in fact["observations"] if one["expected"] != one["seen"]]
    assert wrong["question"] == "is 0000:01:00.0 in activeDevs?"
    assert fact["replay"] == f"pyvirt-sim replay {MUTANT} --tape {fact['tape']}"
    assert len(fact["digest"]) == 64


def test_a_hunt_in_the_shipped_library_finds_nothing_and_succeeds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(monkeypatch, capsys, "hunt", "hot-unplug", "--schedules", "40", "--json")
    fact = json.loads(out)
    assert (code, fact["found"], fact["schedules"]) == (0, False, 40)


def test_a_mutant_that_is_not_found_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(monkeypatch, capsys, "hunt", MUTANT, "--schedules", "1")
    assert code == 1
    assert "no promise broken in 1 schedules" in out
    assert "canonical" in out.splitlines()[3]  # who ran it


@pytest.mark.parametrize("command", [("hunt",), ("replay", "--tape", "tape1")])
def test_an_unknown_name_is_answered_with_those_there_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    code, out, err = run(monkeypatch, capsys, command[0], "no-such-bug", *command[1:])
    assert (code, out) == (2, "")
    assert "nothing is called 'no-such-bug'" in err
    assert MUTANT in err
    assert "hot-unplug" in err


def test_a_tape_of_another_program_is_told_as_a_divergence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = run(monkeypatch, capsys, "hunt", MUTANT, "--seed", "1", "--json")
    tape = json.loads(out)["tape"]
    code, _, err = run(monkeypatch, capsys, "replay", "hot-unplug", "--tape", tape)
    assert code == 2
    assert "the replay diverged" in err


def test_damaged_and_missing_tapes_are_told_apart_from_divergence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    binary = tmp_path / "tape"
    binary.write_bytes(b"\xff\xfe")
    for arguments in (
        ("--tape", "nonsense"),
        ("--tape-file", str(tmp_path / "none")),
        ("--tape-file", str(binary)),
        (),
    ):
        code, out, err = run(monkeypatch, capsys, "replay", MUTANT, *arguments)
        assert (code, out) == (2, "")
        assert err.startswith("error: no usable tape: ")


def test_the_demo_tells_the_whole_story(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, _ = run(monkeypatch, capsys, "demo", "--output", str(tmp_path), "--schedules", "60")
    assert code == 0
    assert "BROKEN PROMISE (removed-means-gone)" in out
    assert "Replayed: the same digest." in out
    assert "60 schedules covered" in out
    assert ": 0 violations" in out
    assert (tmp_path / "timeline.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_without_the_extra_one_sentence_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"install pyvirt-trio\[sim,cli\]"):
        main()
