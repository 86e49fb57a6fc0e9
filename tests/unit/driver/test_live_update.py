"""What may be changed of a device that stays, and that all else is refused."""

from __future__ import annotations

import attrs
import pytest

from pyvirt_trio.driver.live_update import merged
from pyvirt_trio.errors import DefinitionError, ErrorCode
from pyvirt_trio.models import Device, Disk, DriveAddress, Interface, PciAddress

DRIVE = Disk(
    alias="scsi0-0-0-0",
    address=DriveAddress(),
    source_file="/a.iso",
    target="sda",
    bus="scsi",
    is_cdrom=True,
    is_readonly=True,
)
CARD = Interface(alias="net0", mac="52:54:00:00:00:01")


def like(device: Disk, **changes: str) -> Disk:
    """The device as a caller describes it: without the names and places of the live one."""
    return attrs.evolve(device, alias=None, address=None, **changes)  # type: ignore[arg-type]


def test_a_drive_takes_another_medium_and_keeps_its_name_and_place() -> None:
    changed = merged(DRIVE, like(DRIVE, source_file="/b.qcow2", image_format="qcow2"))
    assert isinstance(changed, Disk)
    assert (changed.source_file, changed.image_format) == ("/b.qcow2", "qcow2")
    assert (changed.alias, changed.address) == (DRIVE.alias, DRIVE.address)


def test_a_link_goes_down_without_saying_the_mac_again() -> None:
    changed = merged(CARD, Interface(is_link_up=False))
    assert changed == Interface(alias="net0", mac=CARD.mac, is_link_up=False)


def test_what_is_said_of_a_slot_need_not_be_said_again() -> None:
    card = attrs.evolve(CARD, address=PciAddress(0, 1, 0, 0), is_multifunction=True)
    changed = merged(card, Interface(is_link_up=False))
    assert (changed.address, changed.is_multifunction) == (card.address, True)


@pytest.mark.parametrize(
    ("device", "wanted"),
    [
        (Disk(source_file="/a", target="vda"), Disk(source_file="/b", target="vda")),
        (DRIVE, like(DRIVE, target="sdb")),
        (CARD, Interface(mac="52:54:00:00:00:02")),
    ],
    ids=["a disk's image", "a drive's name", "a card's address"],
)
def test_anything_else_is_refused(device: Device, wanted: Device) -> None:
    is_fixed_disk = isinstance(device, Disk) and not device.is_cdrom  # libvirt's other number
    expected = ErrorCode.CONFIG_UNSUPPORTED if is_fixed_disk else ErrorCode.OPERATION_UNSUPPORTED
    with pytest.raises(DefinitionError) as caught:
        merged(device, wanted)
    assert expected == caught.value.code
