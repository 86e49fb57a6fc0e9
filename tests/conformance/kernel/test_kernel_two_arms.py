"""sysfs and vfio: one script, a real kernel in a nested machine and the simulated host."""

from __future__ import annotations

import pytest

from pyvirt_sim.conformance.kernel.compare import compare, compared
from pyvirt_sim.conformance.kernel.script import CASES
from pyvirt_sim.conformance.kernel.simulated import play_simulated
from pyvirt_sim.conformance.real.nested import NestedMachine
from pyvirt_sim.host.pci import PciModel, SimPciDevice
from pyvirt_sim.host.sysfs import _ATTRIBUTES
from tests.conformance.kernel.record import recording

RECORD_AGAIN = "the script has changed: python -m tests.conformance.kernel.record"


@pytest.mark.real_vfio
def test_the_simulated_kernel_cannot_be_told_from_a_real_one(nested_machine: NestedMachine) -> None:
    found = compare(nested_machine)
    assert [str(difference) for difference in found.differences] == []
    assert found.steps >= 400
    assert found.events >= 100


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
