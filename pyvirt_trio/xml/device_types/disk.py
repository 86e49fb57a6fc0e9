"""``<disk>``: a file that the guest sees as a disk, or as a CD in a drive."""

from __future__ import annotations

from pyvirt_trio.models import Disk, DriveAddress, PciAddress, SataAddress, UsbAddress
from pyvirt_trio.xml.device_types.base import DeviceType
from pyvirt_trio.xml.device_types.iotune import read_iotune, write_iotune
from pyvirt_trio.xml.element import Element, element
from pyvirt_trio.xml.reader import Reader, quoted
from pyvirt_trio.xml.values import DISK_NAME, checked_path

_DEFAULT_BUS = {"vd": "virtio", "sd": "scsi"}

_KNOWN_BUSES = ("ide", "fdc", "scsi", "virtio", "xen", "usb", "uml", "sata", "sd", "none")
"""``virDomainDiskBus``."""

_ADDRESSES = {
    "virtio": PciAddress,
    "scsi": DriveAddress,
    "usb": UsbAddress,
    "sata": SataAddress,
}

_DRIVE_BUSES = ("scsi", "sata", "usb")
"""What a CD-ROM drive can be on. QEMU has none for USB, so it is a disk there, as in libvirt."""

_SNAPSHOTS = ("internal", "external", "manual", "no")
"""``virDomainSnapshotLocation``, without "default"."""


def read_disk(reader: Reader) -> Disk:
    """A ``Disk`` from ``<disk type='file'>``."""
    reader.choice("type", "file", default="file")
    is_cdrom = reader.choice("device", "disk", "cdrom", default="disk") == "cdrom"
    image_format = "raw"
    driver = reader.child("driver")
    if driver is not None:
        driver.choice("name", "qemu", default="qemu")
        image_format = driver.choice("type", "raw", "qcow2", default="raw")
    source_file, startup_policy = _read_source(reader, is_cdrom=is_cdrom)
    name, bus = _read_target(reader.required_child("target"), is_cdrom=is_cdrom)
    iotune = reader.child("iotune")
    is_readonly = reader.child("readonly") is not None
    snapshot = reader.attribute("snapshot")
    if snapshot is not None and snapshot not in _SNAPSHOTS:
        raise reader.wrong(
            f"Invalid value for attribute 'snapshot' in element 'disk': {quoted(snapshot)}.",
            attribute="snapshot",
        )
    return Disk(
        source_file=source_file,
        target=name,
        bus=bus,
        is_cdrom=is_cdrom,
        image_format=image_format,
        is_readonly=is_readonly or is_cdrom,
        startup_policy=startup_policy,
        iotune=None if iotune is None else read_iotune(iotune),
        snapshot=snapshot,
    )


def _read_source(reader: Reader, *, is_cdrom: bool) -> tuple[str | None, str | None]:
    """The image, and what is to happen when it is missing."""
    source = reader.child("source") if is_cdrom else reader.required_child("source")
    if source is None:
        return None, None
    path = checked_path(source, source.required("file"), attribute="file")
    policy = source.attribute("startupPolicy")
    if policy is None:
        return path, None
    source.choice("startupPolicy", "mandatory", "requisite", "optional")
    if policy == "requisite" and not is_cdrom:
        raise source.wrong(
            "disk startupPolicy 'requisite' is not allowed for disk of 'disk' device",
            attribute="startupPolicy",
        )
    return path, policy


def _read_target(target: Reader, *, is_cdrom: bool) -> tuple[str, str]:
    name = target.required("dev")
    expected = _DRIVE_BUSES if is_cdrom else tuple(_ADDRESSES)
    # libvirt guesses the bus from the name.
    default = next((bus for prefix, bus in _DEFAULT_BUS.items() if name.startswith(prefix)), None)
    given = target.attribute("bus")
    if given is not None and given not in _KNOWN_BUSES:
        raise target.wrong(
            f"Invalid value for attribute 'bus' in element 'target': {quoted(given)}.",
            attribute="bus",
        )
    bus = target.choice("bus", *expected, default=default if default in expected else None)
    # Its letters say which disk it is; what comes before them need not be what the bus suggests.
    if DISK_NAME.fullmatch(name) is None:
        raise target.wrong(
            f"Unknown disk name {quoted(name)} and no address specified", attribute="dev"
        )
    return name, bus


def write_disk(disk: Disk) -> Element:
    """The element that ``read_disk`` reads."""
    source = {"file": disk.source_file, "startupPolicy": disk.startup_policy}
    return element(
        "disk",
        {
            "type": "file",
            "device": "cdrom" if disk.is_cdrom else "disk",
            "snapshot": disk.snapshot,
        },
        element("driver", {"name": "qemu", "type": disk.image_format}),
        element("source", source) if disk.source_file is not None else None,
        element("target", {"dev": disk.target, "bus": disk.bus}),
        write_iotune(disk.iotune),
        element("readonly") if disk.is_readonly else None,
    )


DISK = DeviceType(
    tag="disk",
    model=Disk,
    read=read_disk,
    write=write_disk,
    address=lambda disk: _ADDRESSES[disk.bus],
)
