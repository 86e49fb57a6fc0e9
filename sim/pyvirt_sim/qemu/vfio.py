"""Opening a device of the host, with QEMU's words for each refusal of the kernel."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu.errors import QmpError
from pyvirt_sim.qemu.text import full_host_address
from pyvirt_sim.qemu.world import VfioHandle, VfioRefusedError, VfioStep, World


def open_host_device(
    world: World, properties: Mapping[str, Any], pid: int, request: Callable[[], None]
) -> VfioHandle:
    """Open the host device that the property ``sysfsdev`` or ``host`` names.

    Args:
        world: The host.
        properties: Properties of a ``vfio-pci`` device.
        pid: This QEMU.
        request: Called when the host wants the device back.

    Raises:
        QmpError: In the words of ``hw/vfio/pci.c`` and ``hw/vfio/common.c``.
    """
    folder = properties.get("sysfsdev")
    if folder is not None:
        return _open_mediated(world, str(folder))
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


def _open_mediated(world: World, folder: str) -> VfioHandle:
    if not folder.startswith("/sys/bus/mdev/devices/"):
        raise ModelGapError(f"vfio-pci with the folder {folder} is not modelled")
    try:
        return world.open_node(folder)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise QmpError(f"vfio {folder}: no such host device: {reason}") from error


def open_usb(world: World, properties: Mapping[str, Any]) -> VfioHandle:
    """Open the host device of a ``usb-host``.

    Raises:
        QmpError: In the words of ``hw/usb/host-libusb.c``.
    """
    path = properties.get("hostdevice")
    if path is None:
        raise ModelGapError("usb-host without hostdevice is not modelled")
    try:
        return world.open_node(str(path))
    except OSError as error:
        raise QmpError(f"failed to open {path}: {os.strerror(error.errno or 0)}") from error


def open_scsi_target(world: World, properties: Mapping[str, Any]) -> VfioHandle:
    """Open the kernel's SCSI targets for a ``vhost-scsi-pci``.

    Raises:
        QmpError: In the words of ``hw/scsi/vhost-scsi.c``.
    """
    if not properties.get("wwpn"):
        raise QmpError("vhost-scsi: missing wwpn")
    if "vhostfd" in properties:
        raise ModelGapError("vhost-scsi-pci with an open descriptor is not modelled")
    try:
        return world.open_node("/dev/vhost-scsi")
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise QmpError(f"vhost-scsi: open vhost char device failed: {reason}") from error


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
