"""The founding story on a real IOMMU and vfio-pci, with a guest that runs and gives the card up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pyvirt_sim.conformance.real.guest import Guest
from pyvirt_sim.conformance.real.nested import NestedMachine

ROOT = Path(__file__).parents[3]
STORY = "tests.conformance.scenarios.nested_story"
DEVICES = (
    *("-device", "pcie-root-port,id=root,addr=4", "-device", "e1000e,bus=root"),
    *("-device", "qemu-xhci,id=usb,addr=5", "-device", "usb-tablet,bus=usb.0"),
    *("-device", "virtio-scsi-pci,id=scsi,addr=6"),
    *("-blockdev", "null-co,node-name=disk,read-zeroes=on"),
    *("-device", "scsi-hd,bus=scsi.0,drive=disk"),
)
PATIENCE_S = 900
"""A guest in a guest boots in a minute of an idle machine, and in five of a busy one."""

FAST = "cryptomgr.notests lsm=capability"
"""A quarter less to emulate: ciphers are not tried out, and nobody is kept from anything."""

TRIP = {
    "before": "e1000e",
    "in the guest": "vfio-pci",
    "active": ["0000:01:00.0"],
    "after": "e1000e",
}


NO_BRIDGE = (
    "Invalid attempt to reset PCI device 0000:00:04.0. Only PCI endpoint devices can be reset"
)
REFUSED = {
    "driver": "e1000e",
    "bridge": [1, NO_BRIDGE],
    "stub": [8, "unknown driver name 'pciback'"],
    "unmanaged": [
        55,
        "Unmanaged PCI device 0000:01:00.0 must be manually detached from the host",
    ],
    "stranger": [
        55,
        "PCI device 0000:01:00.0 was not detached from the host here and stays with vfio-pci",
    ],
    "forced": "e1000e",
}


@pytest.mark.real_vfio
def test_a_running_guest_gives_a_host_device_up_and_its_driver_has_it_at_once(
    nested_machine: NestedMachine, linux_guest: Guest
) -> None:
    """The client of the story gives the device back the moment it hears of the removal."""
    left = nested_machine.run(
        [
            *(sys.executable, "-B", "-m", STORY),
            *(str(linux_guest.kernel), str(linux_guest.initrd)),
            *(linux_guest.ready_line, f"{linux_guest.cmdline} {FAST}"),
        ],
        devices=DEVICES,
        environment={"PYTHONPATH": f"{ROOT}:{ROOT}/sim"},
        patience_s=PATIENCE_S,
    )
    told = json.loads(left["told.json"])
    print(f"seconds: {told.pop('seconds')}")
    assert told.pop("refused") == REFUSED
    assert told.pop("usb") == {"in the guest": ["001:002"], "after": []}
    assert told.pop("scsi") == {"in the guest": ["0:0:0:0"], "after": []}
    assert told.pop("scsi_host") == {"in the guest": ["naa.50014057667280d8"], "after": []}
    assert told == {"unmanaged": TRIP, "managed": TRIP, "inactive at the end": []}


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
