"""What may not come or go while a domain runs, in libvirt's words and with its codes."""

from __future__ import annotations

import uuid

import pytest

from pyvirt_trio.driver.pluggable import require_pluggable, require_unpluggable
from pyvirt_trio.driver.removal import REMOVAL_TABLE
from pyvirt_trio.errors import ErrorCode, PyvirtError
from pyvirt_trio.models import (
    Controller,
    Device,
    Disk,
    DomainDefinition,
    DriveAddress,
    Parallel,
    PciAddress,
    Rng,
    Serial,
    Vcpu,
    Vsock,
    Watchdog,
)
from pyvirt_trio.xml.devices import DEVICE_TYPES

SCSI = Controller(kind="scsi", model="virtio-scsi", index=0, alias="scsi0")
USB = Controller(kind="usb", model="qemu-xhci", index=0, alias="usb")
DISK = Disk(source_file="/d", target="sda", bus="scsi", address=DriveAddress())
STIFF = Controller(model="pcie-root-port", index=1, alias="pci.1", is_hotpluggable=False)
BEHIND_IT = Rng(alias="rng0", address=PciAddress(0, 1, 0, 0))
SECOND = Serial(alias="serial0", model="pci-serial", address=PciAddress(0, 1, 0, 1))
ON_ISA = Watchdog(alias="watchdog0", model="ib700")


def live(*devices: Device) -> DomainDefinition:
    return DomainDefinition(name="demo", uuid=uuid.UUID(int=1), memory_kib=1024, devices=devices)


STAYS = (
    "cannot hot unplug rng device with PCI guest address: 0000:01:00.0 - not allowed by controller"
)
ISA = "unable to execute QEMU command '{}': Bus 'isa.0' does not support hotplugging"

ATTACH = [
    (84, "'usb' controller cannot be hot plugged.", USB, ()),
    (1, ISA.format("device_add"), Serial(), ()),
    (1, ISA.format("device_add"), Parallel(), ()),
    (55, "domain already has a vsock device", Vsock(), (Vsock(alias="vsock0"),)),
    (84, "hotplug of watchdog of model ib700 is not supported", ON_ISA, ()),
    (55, "domain already has a watchdog", Watchdog(), (Watchdog(alias="watchdog0"),)),
]
DETACH = [
    (84, "'usb' controller cannot be hot unplugged.", USB, (USB,)),
    (1, ISA.format("device_del"), Serial(), (Serial(),)),
    (1, ISA.format("device_del"), Parallel(), (Parallel(),)),
    (9, "device cannot be detached: device is busy", SCSI, (SCSI, DISK)),
    (
        9,
        STAYS,
        BEHIND_IT,
        (STIFF, BEHIND_IT),
    ),
    (
        9,
        "cannot hot unplug chr device with multifunction PCI guest address: 0000:01:00.1",
        SECOND,
        (BEHIND_IT, SECOND),
    ),
    (84, "hot unplug of watchdog of model ib700 is not supported", ON_ISA, (ON_ISA,)),
]


@pytest.mark.parametrize(("code", "words", "device", "present"), ATTACH)
def test_an_attach_is_refused(
    code: int, words: str, device: Device, present: tuple[Device, ...]
) -> None:
    with pytest.raises(PyvirtError) as caught:
        require_pluggable(live(*present), device)
    assert (ErrorCode(code), words) == (caught.value.code, str(caught.value))


@pytest.mark.parametrize(("code", "words", "device", "present"), DETACH)
def test_a_detach_is_refused(
    code: int, words: str, device: Device, present: tuple[Device, ...]
) -> None:
    with pytest.raises(PyvirtError) as caught:
        require_unpluggable(live(*present), device)
    assert (ErrorCode(code), words) == (caught.value.code, str(caught.value))


def test_a_scsi_controller_without_disks_may_leave() -> None:
    require_unpluggable(live(SCSI), SCSI)
    require_unpluggable(live(SCSI, DISK), DISK)


def test_every_type_of_the_removal_table_has_xml() -> None:
    # A processor is no device of the definition's: it has `<vcpus>`.
    assert set(REMOVAL_TABLE) - {Vcpu} <= {device_type.model for device_type in DEVICE_TYPES}
