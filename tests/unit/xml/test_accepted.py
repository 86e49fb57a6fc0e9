"""What is accepted without being kept, what is filled in, and the page that tells of it."""

from __future__ import annotations

import pathlib
import re
import uuid

import pytest

from pyvirt_trio.models import (
    CharacterSource,
    Controller,
    Device,
    Disk,
    DomainDefinition,
    HostDevice,
    Interface,
    OperatingSystem,
    PciAddress,
    Rng,
    Serial,
)
from pyvirt_trio.models.vcpus import plain_vcpus
from pyvirt_trio.xml import format_domain, parse_device, parse_domain
from pyvirt_trio.xml.defaults import ACCEPTED_DEFAULTS, KEPT_AS_TEXT, AcceptedDefault
from pyvirt_trio.xml.devices import DEVICE_TYPES

UUID = uuid.UUID("6a0b7f6c-3b0e-4c5e-9f0e-3d9b7a3f1c11")
PAGE = pathlib.Path(__file__).parents[3] / "docs" / "reference" / "domain-xml.md"


def parse(text: str) -> DomainDefinition:
    return parse_domain(text, fresh_uuid=lambda: UUID)


def plain(**changes: object) -> DomainDefinition:
    return DomainDefinition(name="a", uuid=UUID, memory_kib=1, **changes)  # type: ignore[arg-type]


def with_element(parent: str, xml: str) -> str:
    """The smallest domain with ``xml`` below ``parent``."""
    places = {"/domain": "", "/domain/os": "", "/domain/features": "", "/domain/devices": ""}
    places[parent] = xml
    return (
        "<domain type='qemu'><name>a</name><memory>1</memory>"
        f"<os><type>hvm</type>{places['/domain/os']}</os>"
        f"<features>{places['/domain/features']}</features>"
        f"{places['/domain']}<devices>{places['/domain/devices']}</devices></domain>"
    )


@pytest.mark.parametrize("row", ACCEPTED_DEFAULTS, ids=lambda row: row.xml)
def test_a_default_is_accepted_and_changes_nothing(row: AcceptedDefault) -> None:
    assert plain() == parse(with_element(row.parent, row.xml))
    assert plain() == parse(with_element(row.parent, f"<!-- why -->\n {row.xml} \n"))


def test_the_defaults_marked_as_written_are_written() -> None:
    text = re.sub(r"\n\s*", "", format_domain(plain()))
    for row in ACCEPTED_DEFAULTS:
        is_repeated = any(
            row.xml[:-2] in other.xml and other is not row for other in ACCEPTED_DEFAULTS
        )
        if row.is_written or not is_repeated:
            assert row.is_written == (row.xml in text), row


def test_a_default_may_have_the_alias_libvirt_gives_it() -> None:
    default = "<memballoon model='none'><alias name='balloon0'/></memballoon>"
    assert plain() == parse(with_element("/domain/devices", default))


@pytest.mark.parametrize(
    ("size", "expected_kib"),
    [
        ("<memory>7</memory>", 7),
        ("<memory unit='KiB'> 7\n</memory>", 7),
        ("<memory unit='k'>7</memory>", 7),
        ("<memory unit='b'>1</memory>", 1),
        ("<memory unit='bytes'>1024</memory>", 1),
        ("<memory unit='bytes'>1025</memory>", 2),
        ("<memory unit='KB'>1000</memory>", 977),
        ("<memory unit='M'>1</memory>", 1024),
        ("<memory unit='MiB'>1</memory>", 1024),
        ("<memory unit='MB'>1</memory>", 977),
        ("<memory unit='gib'>2</memory>", 2 * 1024**2),
        ("<memory unit='GB'>1</memory>", 976563),
        ("<memory unit='T'>1</memory>", 1024**3),
        ("<memory unit='PiB'>1</memory>", 1024**4),
        ("<memory unit='E'>7</memory>", 7 * 1024**5),
        ("<memory unit='b'>9223372036854775807</memory>", 2**53),
    ],
)
def test_memory_in_every_unit_is_rounded_up_to_kib(size: str, expected_kib: int) -> None:
    text = f"<domain type='kvm'><name>a</name>{size}<os><type>hvm</type></os></domain>"
    assert expected_kib == parse(text).memory_kib


def test_what_is_left_out_gets_libvirts_meaning() -> None:
    definition = parse(with_element("/domain/devices", ""))
    assert plain(vcpus=plain_vcpus(1, 1), os=OperatingSystem(), devices=()) == definition


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        (
            "<disk><source file='/a'/><target dev='vdb'/></disk>",
            Disk(source_file="/a", target="vdb"),
        ),
        (
            (
                "<disk type='file' device='disk'><driver/><source file='/a'/>"
                "<target dev='vdb' bus='virtio'/></disk>"
            ),
            Disk(source_file="/a", target="vdb"),
        ),
        (
            (
                "<interface type='user'><mac address='52:54:00:AB:CD:EF'/><model type='virtio'/>"
                "</interface>"
            ),
            Interface(mac="52:54:00:ab:cd:ef"),
        ),
        ("<rng model='virtio'><backend model='random'/></rng>", Rng(source="/dev/random")),
        ("<serial type='null'/>", Serial()),
        ("<controller type='pci' model='pcie-root'/>", Controller(model="pcie-root", index=0)),
        (
            (
                "<controller type='pci' index='2' model='pcie-root-port'>"
                "<model name='pcie-root-port'/><target chassis='2' port='0x11'/>"
                "<address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x1'/>"
                "</controller>"
            ),
            Controller(model="pcie-root-port", index=2, address=PciAddress(0, 0, 2, 1)),
        ),
        (
            (
                "<hostdev type='pci'><source><address domain='0' bus='0x0A' slot='012'/></source>"
                "</hostdev>"
            ),
            HostDevice(source=PciAddress(0, 10, 10, 0)),
        ),
        (
            (
                "<hostdev type='pci'><source><address bus='1'/></source><address type='pci'/>"
                "</hostdev>"
            ),
            HostDevice(source=PciAddress(0, 1, 0, 0)),
        ),
    ],
)
def test_a_short_device_is_completed(xml: str, expected: Device) -> None:
    assert expected == parse_device(xml)


def test_only_aliases_of_users_count_in_a_definition() -> None:
    serial = "<serial type='null'><alias name='{}'/></serial>"
    assert Serial(alias="ua-log") == parse_device(serial.format("ua-log"))
    assert Serial() == parse_device(serial.format("serial0"))
    assert Serial() == parse_device(serial.format("not a legal one"))
    assert Serial(alias="serial0") == parse_device(serial.format("serial0"), keep_aliases=True)


def test_the_console_libvirt_adds_is_the_serial_port() -> None:
    devices = (
        "<serial type='file'><source path='/log'/><alias name='ua-s'/></serial>"
        "<console type='file'><source path='/log'/><target type='serial' port='0'/>"
        "<alias name='ua-s'/></console>"
    )
    expected = plain(
        devices=(Serial(source=CharacterSource(kind="file", path="/log"), alias="ua-s"),)
    )
    assert expected == parse(with_element("/domain/devices", devices))


def test_the_id_of_a_running_domain_is_no_part_of_its_definition() -> None:
    text = with_element("/domain", "").replace("type='qemu'", "type='qemu' id='7'")
    assert plain() == parse(text)


# -- the page ------------------------------------------------------------------------------------


def test_the_page_lists_exactly_the_accepted_defaults() -> None:
    rows = re.findall(
        r"^\| `(/\S+)` \| `(<[^`]+>)` \| (.+?) \| (yes|no) \|$", PAGE.read_text(), re.M
    )
    assert rows == [
        (row.parent, row.xml, row.reason, "yes" if row.is_written else "no")
        for row in ACCEPTED_DEFAULTS
    ]


def test_the_page_names_what_is_not_kept_and_every_device_type() -> None:
    page = PAGE.read_text()
    for _, tag in KEPT_AS_TEXT:
        assert f"`<{tag}>`" in page
    for device_type in DEVICE_TYPES:
        assert f"### `<{device_type.tag}>`" in page


def test_the_examples_of_the_page_are_accepted() -> None:
    examples = re.findall(r"^```xml\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    kinds = {type(parse_device(text)) for text in examples if not text.startswith("<domain")}
    assert {device_type.model for device_type in DEVICE_TYPES} == kinds
    domains = [text for text in examples if text.startswith("<domain")]
    assert domains
    for text in domains:
        parse(text)
