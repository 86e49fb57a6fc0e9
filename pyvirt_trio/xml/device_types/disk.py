"""``<disk>``: a file that the guest sees as a virtio disk."""

from __future__ import annotations

import re

from pyvirt_trio.models import Disk
from pyvirt_trio.xml.device_types.base import DeviceType
from pyvirt_trio.xml.element import Element, element
from pyvirt_trio.xml.reader import Reader, quoted
from pyvirt_trio.xml.values import checked_path

# The guest's names for virtio disks: vda ... vdz, vdaa ...
_TARGET = re.compile(r"vd[a-z]{1,3}")


def read_disk(reader: Reader) -> Disk:
    """A ``Disk`` from ``<disk type='file' device='disk'>``."""
    reader.choice("type", "file", default="file")
    reader.choice("device", "disk", default="disk")
    image_format = "raw"
    driver = reader.child("driver")
    if driver is not None:
        driver.choice("name", "qemu", default="qemu")
        image_format = driver.choice("type", "raw", "qcow2", default="raw")
    source = reader.required_child("source")
    path = checked_path(source, source.required("file"), attribute="file")
    target = reader.required_child("target")
    name = target.required("dev")
    target.choice("bus", "virtio", default="virtio")
    if _TARGET.fullmatch(name) is None:
        raise target.unsupported(
            f"dev {quoted(name)} is not supported, expected a virtio name such as 'vda'",
            attribute="dev",
        )
    return Disk(
        source_file=path,
        target=name,
        image_format=image_format,
        is_readonly=reader.child("readonly") is not None,
    )


def write_disk(disk: Disk) -> Element:
    """The element that ``read_disk`` reads."""
    return element(
        "disk",
        {"type": "file", "device": "disk"},
        element("driver", {"name": "qemu", "type": disk.image_format}),
        element("source", {"file": disk.source_file}),
        element("target", {"dev": disk.target, "bus": "virtio"}),
        element("readonly") if disk.is_readonly else None,
    )


DISK = DeviceType(tag="disk", model=Disk, read=read_disk, write=write_disk)
