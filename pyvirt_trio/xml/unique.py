"""What two devices of one domain must not share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pyvirt_trio.errors import DefinitionError, ErrorCode
from pyvirt_trio.models import (
    Channel,
    Console,
    Controller,
    Device,
    DimmAddress,
    Disk,
    DomainDefinition,
    DriveAddress,
    Filesystem,
    GuestAddress,
    GuestForward,
    HostDevice,
    HostInterface,
    Interface,
    Lease,
    OtherHostDevice,
    Parallel,
    PciAddress,
    SataAddress,
    Serial,
    UsbAddress,
    VirtioSerialAddress,
    Vsock,
)

_BUSES: dict[type[GuestAddress], str] = {
    PciAddress: "PCI",
    DriveAddress: "drive",
    SataAddress: "SATA",
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
    claimed: dict[tuple[str, object], Device] = {}
    for position, device in enumerate(definition.devices, start=1):
        for claim, code in _claims(device):
            if claim in claimed:
                raise DefinitionError(
                    _said(claim, claimed[claim], device),
                    path=f"/domain/devices/*[{position}]",
                    code=code,
                )
            claimed[claim] = device


def _said(claim: tuple[str, object], first: Device, second: Device) -> str:
    what, value = claim
    if what == "alias":
        return f"non unique alias detected: {value}"
    if isinstance(first, Disk) and isinstance(second, Disk) and what == "disk target":
        sources = f"'{first.source_file}' and '{second.source_file}'"
        return f"target '{value}' duplicated for disk sources {sources}"
    return f"{what} {value} is used more than once"


def _claims(device: Device) -> Iterator[tuple[tuple[str, object], ErrorCode]]:
    """Everything that ``device`` wants for itself alone."""
    if device.alias is not None:
        yield ("alias", device.alias), ErrorCode.CONFIG_UNSUPPORTED
    for kind in type(device).__mro__:
        claims = _CLAIMS.get(kind)
        for what, value in claims(device) if claims is not None else ():
            if value is not None:
                yield (what, value), ErrorCode.XML_ERROR
    if device.address is not None:  # last: a disk's follows from its name, which says more
        yield _place(device.address), ErrorCode.XML_ERROR


def _controller_kind(kind: str) -> str:
    return kind.upper() if kind in ("pci", "usb", "scsi") else kind


# (Any: a heterogeneous table.) A claim to ``None`` is none.
_CLAIMS: dict[type, Callable[[Any], list[tuple[str, object]]]] = {
    Controller: lambda one: [(f"{_controller_kind(one.kind)} controller index", one.index)],
    Disk: lambda disk: [("disk target", disk.target)],
    HostDevice: lambda device: [("host device", device.source)],
    HostInterface: lambda device: [("host device", device.source)],
    OtherHostDevice: lambda device: [("host device", str(device))],
    Interface: lambda interface: [
        ("tap", interface.source if interface.kind == "ethernet" else None),
    ],
    GuestForward: lambda one: [("forwarded address", f"{one.ip_address}:{one.port}")],
    Channel: lambda channel: [("channel name", channel.name)],
    Serial: lambda serial: [("serial port", serial.port)],
    Parallel: lambda parallel: [("parallel port", parallel.port)],
    Console: lambda console: [("console", console.port)],
    Filesystem: lambda filesystem: [("filesystem target", filesystem.tag)],
    Lease: lambda lease: [("lease", (lease.lockspace, lease.key))],
    Vsock: lambda _vsock: [("vsock", "device")],
}


def _place(address: GuestAddress) -> tuple[str, object]:
    if isinstance(address, DimmAddress):
        return "memory slot", address.slot  # where it begins is QEMU's choice
    return f"guest {_BUSES[type(address)]} address", address
