"""sysfs and vfio: one script, a real kernel in a nested machine and the simulated host."""

from __future__ import annotations

from typing import cast

import pytest

from pyvirt_sim.conformance.kernel.compare import compare, compared
from pyvirt_sim.conformance.kernel.programs import programs
from pyvirt_sim.conformance.kernel.script import CASES
from pyvirt_sim.conformance.kernel.simulated import play_simulated
from pyvirt_sim.conformance.real.nested import NestedMachine
from pyvirt_sim.host.pci import PciModel, SimPciDevice
from pyvirt_sim.host.sysfs import _ATTRIBUTES
from tests.conformance.kernel.record import recording

RECORD_AGAIN = "the script has changed: python -m tests.conformance.kernel.record"


@pytest.mark.real_vfio
def test_the_simulated_kernel_cannot_be_told_from_a_real_one(nested_machine: NestedMachine) -> None:
    found = compare(nested_machine, programs=10, seed=4)
    assert [str(difference) for difference in found.differences] == []
    assert found.steps >= 600
    assert found.events >= 150


def test_it_answers_as_the_recorded_kernel_did() -> None:
    kernel, steps, answers = recording()
    assert steps == [str(step) for case in CASES.values() for step in case], RECORD_AGAIN
    found = compared(kernel, answers)
    assert [str(difference) for difference in found.differences] == []


def test_every_case_leaves_the_devices_as_it_found_them() -> None:
    """So that a difference in one case is not the fault of another: any order gives the same."""
    _, _, together = recording()
    for name, steps in CASES.items():
        answers, together = together[: len(steps)], together[len(steps) :]
        assert (name, answers) == (name, play_simulated(steps))


def test_programs_are_the_same_for_a_seed_and_do_not_leave_what_is_modelled() -> None:
    made = programs(60, seed=5)
    assert made == programs(60, seed=5)
    assert list(made.values())[:20] == list(programs(20, seed=5).values())
    answers = play_simulated(step for steps in made.values() for step in steps)
    assert [a for a in answers if str(a["answer"]).startswith("not modelled")] == []
    # Enough of them get somewhere: opened devices, claimed groups, moved drivers.
    assert sum(len(cast("list[object]", answer["events"])) for answer in answers) > 300
    assert len({str(answer["answer"]) for answer in answers}) > 20


def test_programs_leave_the_devices_as_they_found_them() -> None:
    made = list(programs(30, seed=6).values())
    look = CASES["what a device shows"]
    before = play_simulated(look)
    after = play_simulated([*(step for steps in made for step in steps), *look])
    assert after[-len(look) :] == before


def test_a_planted_difference_is_found_and_its_step_named(monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, real = recording()
    honest = PciModel.tell_of

    def without_unbind(self: PciModel, device: SimPciDevice, action: str) -> None:
        if action != "unbind":
            honest(self, device, action)

    monkeypatch.setattr(PciModel, "tell_of", without_unbind)
    found = compared("6.1", real)
    first = str(found.differences[0])
    assert "an override restricts, and moves nothing): write" in first
    assert '"ACTION": "unbind"' in first.splitlines()[1]
    assert '"ACTION": "unbind"' not in first.splitlines()[2]


def test_what_the_simulated_kernel_does_not_model_counts_as_a_difference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, _, real = recording()
    monkeypatch.delitem(_ATTRIBUTES, "sriov_numvfs")
    found = compared("6.1", real)
    assert found.gaps[0] == "not modelled: the attribute sriov_numvfs of a PCI device"
    assert len(found.differences) >= len(found.gaps)
