"""Opening a host device for vfio-pci, with QEMU's words for each refusal of the kernel."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from pyvirt_sim.qemu.errors import QmpError
from pyvirt_sim.qemu.text import full_host_address
from pyvirt_sim.qemu.world import VfioHandle, VfioRefusedError, VfioStep, World


def open_host_device(
    world: World, properties: Mapping[str, Any], pid: int, request: Callable[[], None]
) -> VfioHandle:
    """Open the host device that the property ``host`` names.

    Args:
        world: The host.
        properties: Properties of a ``vfio-pci`` device.
        pid: This QEMU.
        request: Called when the host wants the device back.

    Raises:
        QmpError: In the words of ``hw/vfio/pci.c`` and ``hw/vfio/common.c``.
    """
    if "host" not in properties:
        raise QmpError("No provided host device")
    value = properties["host"]
    address = full_host_address(value)
    if address is None:
        raise QmpError(f"Property 'vfio-pci.host' doesn't take value '{value}'")
    try:
        return world.open_vfio(address, pid, request)
    except VfioRefusedError as refusal:
        raise QmpError(_words(address, refusal)) from refusal


def _words(address: str, refusal: VfioRefusedError) -> str:
    reason = os.strerror(refusal.number)
    match refusal.step:
        case VfioStep.FIND_DEVICE:
            # The only message that names the sysfs path in place of the address.
            return f"vfio /sys/bus/pci/devices/{address}: no such host device: {reason}"
        case VfioStep.FIND_GROUP:
            detail = f"no iommu_group found: {reason}"
        case VfioStep.OPEN_GROUP:
            detail = f"failed to open /dev/vfio/{refusal.group}: {reason}"
        case VfioStep.CHECK_VIABLE:
            detail = f"group {refusal.group} is not viable"
        case VfioStep.GET_DEVICE:
            detail = f"error getting device from group {refusal.group}: {reason}"
        case VfioStep.ALREADY_ATTACHED:
            detail = "device is already attached"
    return f"vfio {address}: {detail}"
