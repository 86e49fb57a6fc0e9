"""What libvirt says of a device that claims what another one of the domain has.

It looks at one thing after another, in other places for the running machine than for the persistent
definition; `refuse_duplicates` looks at all claims at once, and says in general words what is left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyvirt_trio.errors import ConflictError, DefinitionError, ErrorCode, InvalidStateError
from pyvirt_trio.models.addresses import DimmAddress, DriveAddress, PciAddress, VirtioSerialAddress
from pyvirt_trio.models.devices import (
    Channel,
    Console,
    Controller,
    Device,
    Disk,
    GuestForward,
    Parallel,
    Serial,
)
from pyvirt_trio.models.domain import DomainDefinition
from pyvirt_trio.models.sharing import Lease

# What no two character devices of a kind share; None is nothing.
_ENDS: dict[type[Device], Callable[[Any], object]] = {
    Channel: lambda channel: channel.name,
    Console: lambda console: console.port,
    GuestForward: lambda forward: (forward.ip_address, forward.port),
    Parallel: lambda parallel: parallel.port,
    Serial: lambda serial: serial.port,
}


def refuse_taken(definition: DomainDefinition, device: Device, *, is_live: bool) -> None:
    """``device`` claims nothing that a device of ``definition`` has.

    Args:
        definition: Without it.
        device: What is to be attached.
        is_live: Whether ``definition`` is of the running machine.

    Raises:
        InvalidStateError: A character device has the same end in the guest; a disk of the
            persistent definition has the same name, or one of the running machine the same place.
        ConflictError: A controller has the same number.
        DefinitionError: Another device has the same address.
    """
    for other in definition.devices:
        # Its name says more of a disk than the place which follows from it.
        is_twin = isinstance(other, Disk) and other.target == getattr(device, "target", None)
        slot = _slot(device)
        if slot is not None and slot == _slot(other):
            raise DefinitionError(
                f"memory device slot '{slot}' is already being used by another memory device",
                code=ErrorCode.CONFIG_UNSUPPORTED,
            )
        if type(other) is type(device):
            _refuse_same(other, device, is_live=is_live)
        if device.address is not None and device.address == other.address and not is_twin:
            _refuse_place(other, device, is_live=is_live)


def _refuse_same(other: Device, device: Device, *, is_live: bool) -> None:
    end = _ENDS.get(type(device))
    if end is not None and end(device) is not None and end(device) == end(other):
        raise InvalidStateError("chardev already exists")
    number = _numbers(other)
    if number is not None and number == _numbers(device):
        if is_live:
            raise ConflictError(f"target {number[0]}:{number[1]} already exists")
        raise InvalidStateError(f"controller index='{number[1]}' already exists")
    name = _names(device)
    if name is not None and name == _names(other) and not (isinstance(other, Disk) and is_live):
        raise InvalidStateError(f"{name} already exists")


def _numbers(device: Device) -> tuple[str, int] | None:
    return (device.kind, device.index) if isinstance(device, Controller) else None


def _slot(device: Device) -> int | None:
    return device.address.slot if isinstance(device.address, DimmAddress) else None


def _names(device: Device) -> str | None:
    """What libvirt calls a device of which there is to be one."""
    if isinstance(device, Disk):
        return f"target {device.target}"
    if isinstance(device, Lease):
        return f"Lease {device.key} in lockspace {device.lockspace or ''}"
    return None


def _refuse_place(other: Device, device: Device, *, is_live: bool) -> None:
    place = device.address
    if isinstance(place, VirtioSerialAddress):
        where = f"port {place.port} on controller {place.controller}"
        raise DefinitionError(f"virtio serial {where} is already occupied")
    if isinstance(place, DriveAddress) and isinstance(other, Disk):
        raise InvalidStateError("Domain already contains a disk with that address")
    if not is_live:
        raise DefinitionError(
            "a device with the same address already exists ", code=ErrorCode.CONFIG_UNSUPPORTED
        )
    if isinstance(place, PciAddress):
        raise DefinitionError(f"Attempted double use of PCI Address {place}")
