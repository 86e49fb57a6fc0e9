"""The founding story on a real IOMMU, a real vfio-pci and a real QEMU that holds the device."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pyvirt_sim.conformance.real.nested import NestedMachine

ROOT = Path(__file__).parents[3]
STORY = "tests.conformance.scenarios.nested_story"
DEVICES = ("-device", "pcie-root-port,id=root,addr=4", "-device", "e1000e,bus=root")
EVENTS = ["DomainResumed", "DomainStarted", "DeviceAdded", "DeviceRemoved", "DomainStopped"]


@pytest.mark.real_vfio
def test_a_host_device_is_back_with_its_driver_when_its_removal_is_announced(
    nested_machine: NestedMachine,
) -> None:
    """The story itself gives the device back the moment it hears, and fails where that fails."""
    left = nested_machine.run(
        [sys.executable, "-B", "-m", STORY],
        devices=DEVICES,
        environment={"PYTHONPATH": f"{ROOT}:{ROOT}/sim"},
    )
    assert json.loads(left["told.json"]) == {
        "before": "e1000e",
        "after": "e1000e",
        "events": EVENTS,
    }


@pytest.mark.parametrize("program", [STORY, "pyvirt_sim.conformance.kernel.agent"])
def test_what_moves_devices_refuses_to_run_on_this_machine(program: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", program],
        check=False,
        cwd=tmp_path,
        env={"PYTHONPATH": f"{ROOT}:{ROOT}/sim"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    message = "error: this moves PCI devices and runs only in the nested machine\n"
    assert done.stderr == message
    assert list(tmp_path.iterdir()) == []
