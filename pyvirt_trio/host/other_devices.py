"""Looking for USB, SCSI and mediated devices in sysfs, before a domain gets one."""

from __future__ import annotations

import attrs

from pyvirt_trio.abc import Host
from pyvirt_trio.errors import ErrorCode, HostError, NotFoundError
from pyvirt_trio.models.host_devices import HostMediated, HostScsi, HostUsb

_USB = "/sys/bus/usb/devices"
_SCSI = "/sys/bus/scsi/devices"
_MEDIATED = "/sys/bus/mdev/devices"
_VFIO = "/dev/vfio/vfio"
_VHOST_SCSI = "/dev/vhost-scsi"

_FOR_PCI = "vfio-pci"
"""The interface of mediated devices that look like PCI devices; others exist on IBM Z only."""


async def find_usb(host: Host, device: HostUsb) -> HostUsb:
    """``device`` with the place where it is plugged in now (``virHostdevFindUSBDevice``).

    Raises:
        NotFoundError: (1) There is none; (9) there are several, and no place is told; (38) the
            host has no USB.
        HostError: sysfs cannot be read.
    """
    found = [one for one in await _usb_devices(host) if device.means(one)]
    if not found:
        raise NotFoundError(f"Did not find USB device {device}", code=ErrorCode.INTERNAL_ERROR)
    if len(found) > 1:
        raise NotFoundError(
            f"Multiple USB devices for {device}, use <address> to specify one",
            code=ErrorCode.OPERATION_FAILED,
        )
    return attrs.evolve(device, bus=found[0].bus, device=found[0].device)


async def find_scsi(host: Host, device: HostScsi) -> HostScsi:
    """``device`` with the name of its node in /dev (``virSCSIDeviceGetSgName``).

    Raises:
        NotFoundError: (38) There is no such device.
        HostError: sysfs cannot be read.
    """
    names = await _list(host, f"{_SCSI}/{device}/scsi_generic")
    if not names:
        raise NotFoundError(
            f"cannot open directory '{_SCSI}/{device}/scsi_generic': No such file or directory",
            code=ErrorCode.SYSTEM_ERROR,
        )
    return attrs.evolve(device, generic_node=names[0])


async def find_scsi_target(host: Host) -> None:
    """The host's kernel can serve SCSI targets itself.

    Raises:
        NotFoundError: (38) It cannot.
    """
    if not await host.exists(_VHOST_SCSI):
        raise NotFoundError(
            f"Vhost device file '{_VHOST_SCSI}' cannot be found", code=ErrorCode.SYSTEM_ERROR
        )


async def find_mediated(host: Host, device: HostMediated) -> None:
    """The mediated device is there, and looks like a PCI device (``virMediatedDeviceNew``).

    Raises:
        NotFoundError: (99) There is no such device.
        HostError: (67) It is for another kind of machine, or the host has no VFIO; or sysfs cannot
            be read.
    """
    if not await host.exists(_VFIO):
        raise HostError(
            "Mediated host device assignment requires VFIO support",
            code=ErrorCode.CONFIG_UNSUPPORTED,
        )
    folder = f"{_MEDIATED}/{device.uuid}"
    if not await host.exists(folder):
        raise NotFoundError(
            f"mediated device '{device.uuid}' not found", code=ErrorCode.DEVICE_MISSING
        )
    interface = await _read(host, f"{folder}/mdev_type/device_api")
    if interface != _FOR_PCI:
        raise HostError(
            f"invalid device API '{interface}' for device {device.uuid}: expected '{_FOR_PCI}'",
            code=ErrorCode.CONFIG_UNSUPPORTED,
        )


async def _usb_devices(host: Host) -> list[HostUsb]:
    """All USB devices, in the order of their names; those that leave meanwhile are left out."""
    found: list[HostUsb] = []
    try:
        names = await host.list_directory(_USB)
    except FileNotFoundError:
        raise NotFoundError(
            f"cannot open directory '{_USB}': No such file or directory",
            code=ErrorCode.SYSTEM_ERROR,
        ) from None
    except OSError as error:
        raise HostError(f"cannot open directory '{_USB}': {error.strerror or error}") from error
    for name in names:
        if ":" in name:  # an interface of a device
            continue
        folder = f"{_USB}/{name}"
        try:
            found.append(
                HostUsb(
                    vendor_id=int(await host.read_text(f"{folder}/idVendor"), 16),
                    product_id=int(await host.read_text(f"{folder}/idProduct"), 16),
                    bus=int(await host.read_text(f"{folder}/busnum")),
                    device=int(await host.read_text(f"{folder}/devnum")),
                )
            )
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise HostError(f"cannot read {folder}: {error}") from error
    return found


async def _list(host: Host, path: str) -> list[str]:
    try:
        return await host.list_directory(path)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise HostError(f"cannot open directory '{path}': {error.strerror or error}") from error


async def _read(host: Host, path: str) -> str:
    try:
        return (await host.read_text(path)).strip()
    except OSError as error:
        raise HostError(f"cannot read {path}: {error.strerror or error}") from error
