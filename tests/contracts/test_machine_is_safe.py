"""The suite cannot move the devices of the machine it runs on, whatever a test does wrong."""

from __future__ import annotations

import pytest

from pyvirt_trio.host.pci import MODPROBE
from pyvirt_trio.host.real import RealHost


@pytest.mark.parametrize(
    "path",
    [
        "/sys/bus/pci/drivers_probe",
        "/sys/bus/pci/devices/0000:00:00.0/driver_override",
        "/sys/bus/pci/devices/0000:00:00.0/driver/unbind",
        "/sys/bus/pci/devices/0000:00:00.0/reset",
    ],
)
async def test_nothing_is_written_into_sysfs_of_this_machine(path: str) -> None:
    with pytest.raises(AssertionError, match="of this machine"):
        await RealHost().write_attribute(path, "")  # nothing even if it were let through


async def test_no_module_is_loaded_into_the_kernel_of_this_machine() -> None:
    with pytest.raises(AssertionError, match="loads a module"):
        await RealHost().start_process([MODPROBE[0], "--version"], log_file="/dev/null")
