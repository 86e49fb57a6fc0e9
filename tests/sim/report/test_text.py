"""The one screen is an interface: its text is committed, and every change of it is seen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pyvirt_sim.engine.explain.rows import task_name
from pyvirt_sim.explore import hunt_subject
from pyvirt_sim.explore.finding import Finding
from pyvirt_sim.report import finding_as_text
from tests.sim.report import toy

SNAPSHOT = Path(__file__).parents[2] / "contracts" / "snapshots" / "one-screen.txt"


def found(program: object = toy.announces_too_early) -> Finding:
    finding = hunt_subject(toy.subject(program), seed=1, schedules=100).finding
    assert finding is not None
    return finding


def test_the_one_screen_is_the_committed_one() -> None:
    text = finding_as_text(found())
    # The header of a tape says who recorded it; everything else is the same everywhere.
    text = re.sub(r"python[^,]+,trio[^,]+,canary[^,]+", "python,trio,canary", text)
    assert text == SNAPSHOT.read_text(encoding="utf-8")


def test_the_same_hunt_gives_the_same_text() -> None:
    assert finding_as_text(found()) == finding_as_text(found())


def test_nothing_but_the_replay_command_is_wider_than_the_screen() -> None:
    *lines, command = finding_as_text(found()).splitlines()
    assert command.startswith("  pyvirt-sim replay toy --tape tape1,")
    assert max(map(len, lines)) <= 100
    assert len(lines) <= 50


def test_one_decision_is_enough_and_says_whom_it_passed_over() -> None:
    finding = found()
    decisions = [row for row in finding.rows if row.is_decision]
    assert [row.actor for row in decisions] == ["worker"]
    assert "runs before 'announces_too_early'" in decisions[0].action


def test_the_schedule_ends_with_the_verdict() -> None:
    last = found().rows[-1]
    assert (last.actor, last.action) == ("checker", "gone-means-gone: the promise is broken")


def test_what_the_failing_run_lacks_is_told_of_the_quiet_run() -> None:
    text = finding_as_text(found())
    assert "The quiet run does this, the failing one does not:" in text
    assert "library                forgets net0" in text


@pytest.mark.parametrize(
    ("program", "name"),
    [(toy.fails_always, "ZeroDivisionError"), (toy.waits_for_ever, "DeadlockError")],
)
def test_a_failure_without_a_checker_is_told_as_what_it_is(program: object, name: str) -> None:
    text = finding_as_text(found(program))
    assert text.startswith(f"FAILED: {name}\n")
    assert "No schedule was found that passes." in text


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("_in_simulation", "_in_simulation"),
        ("_in_simulation/client[0]", "client"),
        ("main/life 1[0]/qemu/demo/monitor[0]", "qemu/demo/monitor"),
        ("main/a[0]/b[12]/guest/demo/unplug net0[3]", "guest/demo/unplug net0"),
    ],
)
def test_a_task_is_called_by_its_own_name(path: str, name: str) -> None:
    assert task_name(path) == name
