"""Generated programs of monitor commands: a real QEMU and ours say the same."""

from __future__ import annotations

import pytest

from pyvirt_sim.conformance.campaign import run_campaign
from pyvirt_sim.conformance.compare import shrink
from pyvirt_sim.conformance.program import Execute, Program
from pyvirt_sim.conformance.real_arm import play_real
from pyvirt_sim.qemu import commands
from pyvirt_sim.qemu.events import Events

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


def test_a_child_announced_after_its_parent_is_found_and_named(monkeypatch):
    honest = Events.emit
    held = []

    def emit(self, name, data=None):
        if name == "DEVICE_DELETED" and "device" not in (data or {}):
            held.append(data)
            return
        honest(self, name, data)
        while name == "DEVICE_DELETED" and held:
            honest(self, name, held.pop())

    monkeypatch.setattr(Events, "emit", emit)
    device = {"driver": "virtio-balloon-pci", "id": "b", "bus": "pci.1"}
    noise = (Execute("query-status"), Execute("query-name"))
    story = (Execute("device_add", device), Execute("device_del", {"id": "b"}))
    found = shrink(Program("q35", (*noise, *story, *noise, Execute("system_reset"))))
    assert found.program.steps == (*story, Execute("system_reset"))
    deleted = {"event": "DEVICE_DELETED"}
    parent = {"path": "/machine/peripheral/b", "device": "b"}
    assert found.simulated == {**deleted, "data": parent}
    assert found.real == {**deleted, "data": {"path": "/machine/peripheral/b/virtio-backend"}}
    assert "first difference after: system_reset" in found.as_text()
