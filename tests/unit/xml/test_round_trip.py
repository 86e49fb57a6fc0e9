"""Whatever can be described can be written and read back, unchanged."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import example, given

from pyvirt_trio.errors import DefinitionError
from pyvirt_trio.models import (
    CharacterSource,
    Controller,
    Device,
    Disk,
    DomainDefinition,
    PciAddress,
    PciNodeDevice,
    Rng,
    Serial,
)
from pyvirt_trio.xml import (
    format_device,
    format_domain,
    format_node_device,
    parse_device,
    parse_domain,
)
from pyvirt_trio.xml.parser import parse_document
from tests.part_strategies import live_aliases
from tests.strategies import devices, domain_definitions, node_devices

UUID = uuid.UUID("6a0b7f6c-3b0e-4c5e-9f0e-3d9b7a3f1c11")


def no_uuid_needed() -> uuid.UUID:
    raise AssertionError("the document has a UUID")


@given(devices())
@example(Disk(source_file="/ \t\n\r&<>'\" ", target="vda"))
@example(Serial(source=CharacterSource(kind="file", path="/ \t\n\r&<>'\" ")))
def test_a_device_reads_back_as_it_was_written(device: Device) -> None:
    assert device == parse_device(format_device(device))


@given(domain_definitions())
def test_a_domain_reads_back_as_it_was_written(definition: DomainDefinition) -> None:
    assert definition == parse_domain(format_domain(definition), fresh_uuid=no_uuid_needed)


@given(domain_definitions(live_aliases()))
def test_a_running_domain_reads_back_with_all_its_aliases(definition: DomainDefinition) -> None:
    text = format_domain(definition, life_id=3)
    assert definition == parse_domain(text, fresh_uuid=no_uuid_needed, keep_aliases=True)


@given(domain_definitions())
def test_text_and_bytes_read_the_same(definition: DomainDefinition) -> None:
    text = format_domain(definition)
    assert parse_domain(text, fresh_uuid=no_uuid_needed) == parse_domain(
        text.encode(), fresh_uuid=no_uuid_needed
    )


@given(node_devices())
@example(
    PciNodeDevice(
        address=PciAddress(0, 0, 0, 0),
        vendor_id=0,
        product_id=0,
        class_code=0,
        driver=None,
        iommu_group=0,
    )
)
def test_a_node_device_is_well_formed_and_tells_every_field(device: PciNodeDevice) -> None:
    root = parse_document(format_node_device(device), root="device")
    parts = {child.tag: child for child in root.children}
    assert device.name == parts["name"].text
    assert (device.driver is not None) == ("driver" in parts)
    capability = {child.tag: child for child in parts["capability"].children}
    assert device.address == PciAddress(
        *(int(capability[tag].text) for tag in ("domain", "bus", "slot", "function"))
    )
    assert device.class_code == int(capability["class"].text, 16)
    assert device.vendor_id == int(capability["vendor"].attributes["id"], 16)
    assert device.product_id == int(capability["product"].attributes["id"], 16)
    assert (device.iommu_group is not None) == ("iommuGroup" in capability)


def test_a_missing_uuid_is_asked_for_once() -> None:
    asked: list[None] = []

    def fresh() -> uuid.UUID:
        asked.append(None)
        return UUID

    text = "<domain type='qemu'><name>a</name><memory>1</memory><os><type>hvm</type></os></domain>"
    assert parse_domain(text, fresh_uuid=fresh).uuid == UUID
    assert len(asked) == 1


@pytest.mark.parametrize(
    "device",
    [
        Disk(source_file="/a\x00b", target="vda"),
        Disk(source_file="/a\x1bb", target="vda"),
        Serial(source=CharacterSource(kind="file", path="/\ud800")),
        Rng(address=PciAddress(0, 0, 0, 3)),
        Rng(address=PciAddress(1, 1, 0, 0)),
        Serial(address=PciAddress(0, 1, 0, 0)),
        Controller(model="pcie-root", index=0, address=PciAddress(0, 1, 0, 0)),
        Device(),
    ],
)
def test_what_would_not_read_back_is_not_written(device: Device) -> None:
    with pytest.raises(DefinitionError):
        format_device(device)
