"""Two devices of one domain never claim the same thing."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given

from pyvirt_trio.errors import DefinitionError, ErrorCode
from pyvirt_trio.models import (
    Channel,
    CharacterSource,
    Controller,
    Device,
    Disk,
    DomainDefinition,
    GuestForward,
    HostDevice,
    Interface,
    PciAddress,
    Rng,
    Serial,
)
from pyvirt_trio.xml import format_domain, parse_domain, refuse_duplicates
from tests.part_strategies import live_aliases
from tests.strategies import domain_definitions

ADDRESS = PciAddress(0, 1, 0, 0)

MAC = "52:54:00:00:00:01"

TWINS = [
    (Rng(alias="ua-a"), Serial(alias="ua-a"), ErrorCode.CONFIG_UNSUPPORTED, "alias ua-a"),
    (
        Rng(address=ADDRESS),
        Interface(address=ADDRESS),
        ErrorCode.XML_ERROR,
        "guest PCI address 0000:01:00.0",
    ),
    (
        Disk(source_file="/a", target="vda"),
        Disk(source_file="/b", target="vda"),
        ErrorCode.XML_ERROR,
        "disk target vda",
    ),
    (
        HostDevice(source=ADDRESS),
        HostDevice(source=ADDRESS, is_managed=True),
        ErrorCode.XML_ERROR,
        "host device 0000:01:00.0",
    ),
    (
        Controller(model="pcie-root-port", index=1),
        Controller(model="pcie-root-port", index=1),
        ErrorCode.XML_ERROR,
        "PCI controller index 1",
    ),
    (
        Serial(port=0),
        Serial(port=0, model="usb-serial"),
        ErrorCode.XML_ERROR,
        "serial port 0",
    ),
    (
        Channel(source=CharacterSource(), name="a"),
        Channel(source=CharacterSource(kind="file", path="/a"), name="a"),
        ErrorCode.XML_ERROR,
        "channel name a",
    ),
    (
        GuestForward(source=CharacterSource(), ip_address="10.0.2.1", port=1),
        GuestForward(source=CharacterSource(), ip_address="10.0.2.1", port=1),
        ErrorCode.XML_ERROR,
        "forwarded address 10.0.2.1:1",
    ),
    (
        Controller(kind="scsi", model="virtio-scsi", index=1),
        Controller(kind="scsi", model="virtio-scsi", index=1),
        ErrorCode.XML_ERROR,
        "SCSI controller index 1",
    ),
]

LIBVIRT_SAYS = {
    "alias ua-a": "non unique alias detected: ua-a",
    "disk target vda": "target 'vda' duplicated for disk sources '/a' and '/b'",
}


def domain(*devices: Device) -> DomainDefinition:
    return DomainDefinition(name="a", uuid=uuid.UUID(int=1), memory_kib=1, devices=devices)


@pytest.mark.parametrize(("first", "second", "code", "what"), TWINS)
def test_twins_are_refused(first: Device, second: Device, code: ErrorCode, what: str) -> None:
    definition = domain(first, Serial(port=3), second)
    with pytest.raises(DefinitionError) as caught:
        refuse_duplicates(definition)
    assert (code, "/domain/devices/*[3]") == (caught.value.code, caught.value.path)
    twice = f"{what} is used more than once"
    assert str(caught.value).endswith(f": {LIBVIRT_SAYS.get(what, twice)}")
    with pytest.raises(DefinitionError):
        parse_domain(format_domain(definition), fresh_uuid=lambda: uuid.UUID(int=1))


def test_devices_that_only_look_alike_are_fine() -> None:
    refuse_duplicates(
        domain(
            *(Rng(), Rng(), Interface(), Interface(), Rng(address=ADDRESS)),
            *(HostDevice(source=ADDRESS), Interface(mac=MAC), Interface(mac=MAC)),
        )
    )


@given(domain_definitions(live_aliases()))
def test_what_the_strategies_generate_can_exist(definition: DomainDefinition) -> None:
    refuse_duplicates(definition)
