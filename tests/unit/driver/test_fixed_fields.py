"""What cannot change of a running interface or disk is refused in libvirt's words."""

from __future__ import annotations

import attrs
import pytest

from pyvirt_trio.driver import live_update
from pyvirt_trio.driver.fixed_fields import words_for_fixed_fields
from pyvirt_trio.errors import DefinitionError, ErrorCode
from pyvirt_trio.models.devices import Device, Disk, Interface
from pyvirt_trio.models.iotune import IoTune
from pyvirt_trio.xml.devices import parse_description

FIXED, WRONG = ErrorCode.OPERATION_UNSUPPORTED, ErrorCode.CONFIG_UNSUPPORTED
CARD = """<interface type='user'><mac address='52:54:00:00:00:0a'/>
    <model type='virtio'/>{}</interface>"""
DISK = "<disk type='file'><source file='/a'/><target dev='vda' bus='virtio'/>{}</disk>"
MAC = "52:54:00:00:00:0a"
INTERFACE = Interface(kind="user", mac=MAC, alias="net0")
VDA = Disk(source_file="/a", target="vda", bus="virtio", alias="virtio-disk0")


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        (CARD.replace("virtio", "e1000e").format(""),
         (FIXED, "cannot modify network device model from virtio to e1000e")),
        (CARD.format("<driver queues='2'/>"),
         (FIXED, "cannot modify virtio network device driver attributes")),
        (CARD.format("<driver ats='on'/>"),
         (FIXED, "cannot modify virtio network device driver options")),
        (CARD.format("<rom bar='off'/>"), (FIXED, "cannot modify network device rom bar setting")),
        (CARD.format("<rom file='/x'/>"), (FIXED, "cannot modify network rom file")),
        (CARD.format("<script path='/x'/>"),
         (FIXED, "cannot modify network device script attribute")),
        (CARD.format("<target dev='tap9'/>"), (FIXED, "cannot modify network device tap name")),
        (CARD.format("<tune><sndbuf>1</sndbuf></tune>"),
         (FIXED, "unable to change config on 'user' network type")),
        (CARD.format("<mtu size='1400'/>"),
         (WRONG, "setting MTU on interface type user is not supported yet")),
        (CARD.format("<vlan><tag id='4'/></vlan>"),
         (WRONG, "interface 52:54:00:00:00:0a - vlan tag not supported for this connection type")),
        (CARD.format("<coalesce/>"),
         (WRONG, "coalesce settings on interface type user are not supported")),
        (CARD.format("<filterref filter='x'/>"), None),
        (DISK.format("<shareable/>"), (FIXED, "cannot modify field 'shared' of the disk")),
        (DISK.format("<serial>one</serial>"), (FIXED, "cannot modify field 'serial' of the disk")),
        (DISK.format("<driver name='qemu' type='raw' cache='none'/>"),
         (FIXED, "cannot modify field 'cache' of the disk")),
        (DISK.format("<driver name='qemu' type='raw'/>"), None),
        ("<rng model='virtio'/>", None),
    ],
)  # fmt: skip
def test_what_is_not_represented_asks_for_a_change(
    xml: str, expected: tuple[ErrorCode, str] | None
) -> None:
    found = words_for_fixed_fields(parse_description(xml))
    assert expected == (found and (found.code, str(found)))


@pytest.mark.parametrize(
    ("present", "wanted", "expected"),
    [
        (INTERFACE, attrs.evolve(INTERFACE, kind="bridge", source="br0"),
         (FIXED, "unable to change config on 'bridge' network type")),
        (INTERFACE, attrs.evolve(INTERFACE, kind="ethernet", source="t0"),
         (FIXED, "cannot modify network device tap name")),
        (INTERFACE, attrs.evolve(INTERFACE, mac="52:54:00:00:00:0b"),
         (FIXED, f"cannot change network interface mac address from {MAC} to 52:54:00:00:00:0b")),
        (VDA, attrs.evolve(VDA, bus="scsi"), (FIXED, "cannot modify field 'bus' of the disk")),
        (VDA, attrs.evolve(VDA, is_readonly=True),
         (FIXED, "cannot modify field 'readonly' of the disk")),
        (VDA, attrs.evolve(VDA, is_cdrom=True),
         (FIXED, "cannot modify field 'device' of the disk")),
        (VDA, attrs.evolve(VDA, iotune=IoTune(total_iops_sec=9)),
         (FIXED, "cannot modify field 'blkdeviotune total_iops_sec' of the disk")),
        (VDA, attrs.evolve(VDA, source_file="/b"),
         (WRONG, "disk source can be changed only in removable drives")),
    ],
)  # fmt: skip
def test_what_is_represented_and_cannot_change(
    present: Device, wanted: Device, expected: tuple[ErrorCode, str]
) -> None:
    with pytest.raises(DefinitionError) as refusal:
        live_update.merged(present, wanted)
    assert expected == (refusal.value.code, str(refusal.value))


def test_the_policy_for_a_missing_image_may_change() -> None:
    wanted = attrs.evolve(VDA, startup_policy="optional")
    assert wanted == live_update.merged(VDA, wanted)
