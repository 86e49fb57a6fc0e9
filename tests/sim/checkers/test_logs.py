"""A recorded log is checked as a live trace is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyvirt_sim.checkers.logs import read_logs
from pyvirt_sim.checkers.trace import Kind
from pyvirt_sim.cli.check import check
from tests.sim.checkers.logs import DAEMON, EAGER_DAEMON, GOOD_EVENTS, STOPPED_LATE, UNANSWERED


def run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *texts: str, cut_off: bool = False
) -> tuple[int, set[str]]:
    """The exit status, and the checkers that fired."""
    paths = []
    for number, text in enumerate(texts):
        path = tmp_path / f"{number}.log"
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    status = check(log=paths, cut_off=cut_off, as_json=True)
    facts = json.loads(capsys.readouterr().out)
    return status, {one["checker"] for one in facts["broken"]}


def test_events_of_a_client_become_deliveries() -> None:
    log = read_logs({"events": GOOD_EVENTS})
    first, *_, last = log.entries
    assert (first.kind, first.name, first.subject) == (Kind.DELIVERED, "DomainResumed", "demo")
    assert (last.name, last.get("detail")) == ("DomainStopped", "Destroyed")
    assert log.unread == []
    assert pytest.approx(log.entries[2].time_s - first.time_s) == 0.9


def test_a_monitor_is_read_with_its_replies_and_events() -> None:
    log = read_logs({"daemon": DAEMON})
    names = [(entry.kind, entry.name) for entry in log.entries]
    assert (Kind.BEGUN, "device_del") in names
    assert (Kind.ENDED, "device_del") in names
    assert names.count((Kind.DELIVERED, "DEVICE_DELETED")) == 2
    assert [entry.kind for entry in log.entries if entry.name == "job"] == [
        Kind.WAITS,
        Kind.HOLDS,
        Kind.FREES,
    ]


def test_a_good_log_keeps_every_promise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (0, set()) == run(tmp_path, capsys, GOOD_EVENTS, DAEMON)


def test_a_start_before_the_stop_is_seen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (1, {"lifecycle-order"}) == run(tmp_path, capsys, STOPPED_LATE)


def test_a_removal_announced_before_qemu_let_go_is_seen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, fired = run(tmp_path, capsys, GOOD_EVENTS, EAGER_DAEMON)
    assert status == 1
    assert {"removed-after-deleted", "backend-after-device"} <= fired


def test_an_unanswered_command_counts_unless_the_log_was_cut_off(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (1, {"no-waiter-left"}) == run(tmp_path, capsys, UNANSWERED)
    assert (0, set()) == run(tmp_path, capsys, UNANSWERED, cut_off=True)


@pytest.mark.parametrize("text", ["", "something else\n", "2026-01-02 10:00:00.1+0000: hello\n"])
def test_a_file_of_another_kind_is_refused(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other"
    path.write_text(text, encoding="utf-8")
    assert check(log=[path]) == 2
    assert "no line is one of" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(log=[tmp_path / "none"]) == 2
    assert "none" in capsys.readouterr().err
