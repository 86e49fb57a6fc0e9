"""A device that claims what another one has is refused in libvirt's words."""

from __future__ import annotations

import uuid

import attrs
import pytest

from pyvirt_trio.driver.taken import refuse_taken
from pyvirt_trio.errors import ErrorCode, PyvirtError
from pyvirt_trio.models.addresses import DriveAddress, PciAddress, VirtioSerialAddress
from pyvirt_trio.models.character import CharacterSource
from pyvirt_trio.models.devices import (
    Channel,
    Console,
    Controller,
    Device,
    Disk,
    GuestForward,
    Rng,
    Serial,
)
from pyvirt_trio.models.domain import DomainDefinition, OperatingSystem
from pyvirt_trio.models.sharing import Lease

NULL = CharacterSource()
PORT = VirtioSerialAddress(0, 7)
PLACE = PciAddress(0, 1, 0, 0)
UNIT = DriveAddress(controller=0, unit=3)
CONTROLLER = Controller(kind="scsi", model="virtio-scsi", index=2)
DISK = Disk(source_file="/a", target="sda", bus="scsi", address=UNIT)
LEASE = Lease(lockspace="room", key="one", path="/x")
INVALID, XML, UNSUPPORTED = (
    ErrorCode.OPERATION_INVALID,
    ErrorCode.XML_ERROR,
    ErrorCode.CONFIG_UNSUPPORTED,
)
SAME_PLACE = "a device with the same address already exists "


def definition(*devices: Device) -> DomainDefinition:
    return DomainDefinition(
        name="demo",
        uuid=uuid.UUID(int=1),
        memory_kib=65536,
        os=OperatingSystem(machine="q35"),
        devices=devices,
    )


@pytest.mark.parametrize(
    ("present", "device", "live", "config"),
    [
        (
            Channel(source=NULL, name="a"),
            Channel(source=NULL, name="a"),
            *2 * [(INVALID, "chardev already exists")],
        ),
        (
            Console(source=NULL, port=1),
            Console(source=NULL, port=1),
            *2 * [(INVALID, "chardev already exists")],
        ),
        (
            Serial(source=NULL, port=1),
            Serial(source=NULL, port=1),
            *2 * [(INVALID, "chardev already exists")],
        ),
        (
            GuestForward(source=NULL, ip_address="10.0.2.1", port=80),
            GuestForward(source=NULL, ip_address="10.0.2.1", port=80),
            *2 * [(INVALID, "chardev already exists")],
        ),
        (
            CONTROLLER,
            CONTROLLER,
            (ErrorCode.OPERATION_FAILED, "target scsi:2 already exists"),
            (INVALID, "controller index='2' already exists"),
        ),
        (LEASE, LEASE, *2 * [(INVALID, "Lease one in lockspace room already exists")]),
        (DISK, DISK, None, (INVALID, "target sda already exists")),
        (
            DISK,
            attrs.evolve(DISK, target="sdb"),
            *2 * [(INVALID, "Domain already contains a disk with that address")],
        ),
        (
            Channel(source=NULL, name="a", address=PORT),
            Channel(source=NULL, name="b", address=PORT),
            *2 * [(XML, "virtio serial port 7 on controller 0 is already occupied")],
        ),
        (
            Rng(address=PLACE),
            Rng(address=PLACE),
            (XML, "Attempted double use of PCI Address 0000:01:00.0"),
            (UNSUPPORTED, SAME_PLACE),
        ),
        (Channel(source=NULL), Channel(source=NULL), None, None),
        (Rng(), Rng(), None, None),
    ],
)
def test_a_twin_is_refused_as_libvirt_refuses_it(
    present: Device,
    device: Device,
    live: tuple[ErrorCode, str] | None,
    config: tuple[ErrorCode, str] | None,
) -> None:
    for is_live, expected in ((True, live), (False, config)):
        assert expected == _refusal(definition(present), device, is_live=is_live)


def _refusal(
    present: DomainDefinition, device: Device, *, is_live: bool
) -> tuple[ErrorCode, str] | None:
    try:
        refuse_taken(present, device, is_live=is_live)
    except PyvirtError as error:
        return error.code, str(error)
    return None
