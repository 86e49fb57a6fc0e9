"""``pyvirt-sim sites`` and ``pyvirt-sim conformance --kernel``, without any real part."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pyvirt_sim.cli import kernel
from pyvirt_sim.cli.app import app
from pyvirt_sim.conformance.kernel import compare
from pyvirt_sim.conformance.kernel.simulated import play_simulated
from pyvirt_sim.host import LATENCIES_S, SITES


def status_of(*words: str) -> int:
    try:
        result: Any = app(list(words))
    except SystemExit as end:  # cyclopts 3 returns the status, later ones exit with it
        result = end.code
    return int(result or 0)


def test_sites_are_all_listed_with_what_they_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("sites") == 0
    said = capsys.readouterr().out
    for site in SITES.values():
        assert f"  {site.name} " in said
        assert site.what in said


def test_sites_as_json_say_kind_class_and_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("sites", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [site["name"] for site in listed] == list(SITES)
    for site in listed:
        if site["kind"] == "latency":
            assert site["seconds"] == list(LATENCIES_S[site["class"]])
        else:
            assert (site["kind"], "seconds" in site) == ("fault", False)


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """A "real" kernel that is ours, and honest or not."""

    def pretend(is_honest: bool) -> None:
        def play(_machine: object, cases: compare.Cases) -> tuple[str, list[compare.Answer]]:
            steps = [step for case in cases.values() for step in case]
            answers = play_simulated(steps)
            if not is_honest:
                answers[5] = {"answer": "EIO", "events": []}
            return "6.1-pretended", answers

        monkeypatch.setattr(compare, "play_real", play)
        monkeypatch.setattr(kernel, "build_nested", lambda: None)
        monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/qemu-system-x86_64")

    return pretend


def test_without_differences_it_ends_with_0(
    pretended: Callable[[bool], None], capsys: pytest.CaptureFixture[str]
) -> None:
    pretended(True)
    assert status_of("conformance", "--kernel", "--json", "--programs", "2", "--seed", "3") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["kernel"], said["differences"], said["model_gaps"]) == ("6.1-pretended", 0, [])
    assert said["steps_compared"] == sum(said["steps_by_call"].values()) > 460
    assert said["cases"] == 13


def test_a_difference_is_named_and_ends_with_1(
    pretended: Callable[[bool], None], capsys: pytest.CaptureFixture[str]
) -> None:
    pretended(False)
    assert status_of("conformance", "--kernel", "--programs", "0") == 1
    said = capsys.readouterr().out
    assert "differences: 1\nstep 6 (an override restricts, and moves nothing): write" in said


def test_without_qemu_it_says_so_and_ends_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert status_of("conformance", "--kernel") == 2
    assert capsys.readouterr().err == "error: there is no qemu-system-x86_64 for the real kernel\n"
