"""What two devices of one domain must not share."""

from __future__ import annotations

from collections.abc import Iterator

from pyvirt_trio.errors import DefinitionError, ErrorCode
from pyvirt_trio.models import (
    Channel,
    Controller,
    Device,
    DimmAddress,
    Disk,
    DomainDefinition,
    DriveAddress,
    GuestAddress,
    GuestForward,
    HostDevice,
    HostInterface,
    Interface,
    OtherHostDevice,
    PciAddress,
    Serial,
    UsbAddress,
    VirtioSerialAddress,
)

_BUSES: dict[type[GuestAddress], str] = {
    PciAddress: "PCI",
    DriveAddress: "drive",
    UsbAddress: "USB",
    VirtioSerialAddress: "virtio-serial",
}


def refuse_duplicates(definition: DomainDefinition) -> None:
    """All devices of ``definition`` can exist side by side.

    Also to be called with the definition an attached device would lead to.

    Raises:
        DefinitionError: Two devices claim the same thing. Code ``CONFIG_UNSUPPORTED`` for an
            alias, as in libvirt, otherwise ``XML_ERROR``.
    """
    claimed: set[tuple[str, object]] = set()
    for position, device in enumerate(definition.devices, start=1):
        for claim, code in _claims(device):
            if claim in claimed:
                what, value = claim
                raise DefinitionError(
                    f"{what} {value} is used more than once",
                    path=f"/domain/devices/*[{position}]",
                    code=code,
                )
            claimed.add(claim)


def _claims(device: Device) -> Iterator[tuple[tuple[str, object], ErrorCode]]:
    """Everything that ``device`` wants for itself alone."""
    if device.alias is not None:
        yield ("alias", device.alias), ErrorCode.CONFIG_UNSUPPORTED
    if device.address is not None:
        yield _place(device.address), ErrorCode.XML_ERROR
    match device:
        case Controller():
            kind = device.kind.upper() if device.kind in ("pci", "usb", "scsi") else device.kind
            yield (f"{kind} controller index", device.index), ErrorCode.XML_ERROR
        case Disk():
            yield ("disk target", device.target), ErrorCode.XML_ERROR
        case HostDevice() | HostInterface():
            yield ("host device", device.source), ErrorCode.XML_ERROR
            if isinstance(device, HostInterface) and device.mac is not None:
                yield ("MAC address", device.mac), ErrorCode.XML_ERROR
        case OtherHostDevice():
            yield ("host device", str(device)), ErrorCode.XML_ERROR
        case Interface() if device.mac is not None:
            yield ("MAC address", device.mac), ErrorCode.XML_ERROR
        case GuestForward():
            address = f"{device.ip_address}:{device.port}"
            yield ("forwarded address", address), ErrorCode.XML_ERROR
        case Channel() if device.name is not None:
            yield ("channel name", device.name), ErrorCode.XML_ERROR
        case Serial() if device.port is not None:
            yield ("serial port", device.port), ErrorCode.XML_ERROR
        case _:
            pass


def _place(address: GuestAddress) -> tuple[str, object]:
    if isinstance(address, DimmAddress):
        return "memory slot", address.slot  # where it begins is QEMU's choice
    return f"guest {_BUSES[type(address)]} address", address
