"""The limits of disks, told to QEMU: at a start, when a disk is plugged in, and by a call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pyvirt_trio.models.devices import Disk
from pyvirt_trio.models.iotune import RATES, IoTune

if TYPE_CHECKING:
    from pyvirt_trio.driver.life import Life

_WORDS: Final = {"total": "", "read": "_rd", "write": "_wr"}
QEMU_NAMES: Final[Mapping[str, str]] = {
    **{
        rate: ("bps" if "bytes" in rate else "iops") + _WORDS[rate.partition("_")[0]]
        for rate in RATES
    },
    "size_iops_sec": "iops_size",
    "group_name": "group",
}
"""libvirt's name of a limit -> QEMU's; the two for bursts have the same endings in both."""


async def apply_iotune(life: Life, disk: Disk, tune: IoTune) -> None:
    """The disk of the running machine has these limits (``block_set_io_throttle``).

    Raises:
        CommandFailedError: QEMU refuses.
    """
    arguments: dict[str, Any] = {"id": drive_path(disk)}
    for rate in RATES:
        name = QEMU_NAMES[rate]
        arguments[name] = getattr(tune, rate)
        arguments[f"{name}_max"] = getattr(tune, f"{rate}_max")
        if length := getattr(tune, f"{rate}_max_length"):
            arguments[f"{name}_max_length"] = length
    arguments["iops_size"] = tune.size_iops_sec
    if tune.group_name:
        arguments["group"] = tune.group_name
    await life.execute("block_set_io_throttle", arguments)


async def apply_all(life: Life) -> None:
    """Every disk of a machine that is about to run has its limits."""
    for device in life.definition.devices:
        if isinstance(device, Disk) and device.iotune is not None:
            await apply_iotune(life, device, device.iotune)


def drive_path(disk: Disk) -> str:
    """What QEMU calls that which has the drive: the disk, or a part that it makes with it."""
    if disk.bus == "virtio":
        return f"/machine/peripheral/{disk.alias}/virtio-backend"
    if disk.bus == "usb":
        return f"/machine/peripheral/{disk.alias}/{disk.alias}.0/legacy[0]"
    return str(disk.alias)
