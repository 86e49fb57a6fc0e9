"""Generated programs of monitor commands: a real QEMU and ours say the same."""

from __future__ import annotations

import pytest

from pyvirt_sim.conformance.campaign import run_campaign
from pyvirt_sim.conformance.compare import shrink
from pyvirt_sim.conformance.program import Execute, Program
from pyvirt_sim.conformance.real_arm import play_real
from pyvirt_sim.qemu import commands

pytestmark = pytest.mark.real_qemu


def test_generated_programs_are_answered_alike():
    report = run_campaign(60, seed=1)
    assert [difference.as_text() for difference in report.differences] == []
    assert report.replies >= 500


def test_a_planted_difference_is_found_made_small_and_named(monkeypatch):
    def planted(qemu, arguments):
        return {"status": "running", "singlestep": False, "running": qemu.machine.is_running}

    monkeypatch.setitem(commands.COMMANDS, "query-status", planted)
    asked = ("query-status", "stop", "cont", "query-status", "stop", "query-status")
    found = shrink(Program("q35", tuple(map(Execute, asked))), play_real)
    assert found.program.steps == (Execute("query-status"),)
    assert found.where == "query-status"
    assert found.simulated != found.real
