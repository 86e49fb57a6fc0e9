"""``<hostdev mode='subsystem'>``: a device of the host, in one of five types.

``pci`` goes through vfio-pci, ``usb`` and ``scsi`` are opened by QEMU as they are, ``scsi_host`` is
a target that the host's kernel serves, ``mdev`` a part of a device.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

from pyvirt_trio.models import (
    Device,
    DriveAddress,
    HostDevice,
    HostMediated,
    HostScsi,
    HostScsiTarget,
    HostUsb,
    PciAddress,
    UsbAddress,
)
from pyvirt_trio.xml.device_types.base import DeviceType
from pyvirt_trio.xml.element import Element, element
from pyvirt_trio.xml.reader import Reader, quoted
from pyvirt_trio.xml.values import MAX_UNIT, pci_address_element, read_pci_address

_ADAPTER = re.compile(r"scsi_host([0-9]{1,5})")
_WWPN = re.compile(r"naa\.[0-9a-fA-F]{16}")

MAX_ADAPTER = 99999
"""The kernel counts its adapters from 0; more digits than it ever reaches are a mistake."""


def read_host_device(reader: Reader) -> Device:
    """A device of the host from ``<hostdev>``; its type decides which kind it is."""
    mode = reader.attribute("mode")
    if mode == "capabilities":
        raise reader.unsupported("hostdev mode 'capabilities' is not supported in qemu")
    reader.choice("mode", "subsystem", default="subsystem")
    kind = reader.choice("type", *_KINDS)
    is_managed = reader.switch("managed", "yes", "no", default=False)
    return _KINDS[kind](reader, is_managed)


def _read_pci(reader: Reader, is_managed: bool) -> HostDevice:
    driver = reader.child("driver")
    name = None if driver is None else driver.choice("name", "vfio", "kvm")
    address = reader.required_child("source").required_child("address")
    if not address.element.attributes:
        raise address.wrong("missing attributes 'domain', 'bus', 'slot' and 'function'")
    return HostDevice(
        source=read_pci_address(address),
        is_managed=is_managed,
        driver=name,
        is_unassigned=_is_unassigned(reader),
    )


def _is_unassigned(reader: Reader) -> bool:
    """Whether the guest is not to see it, which is said where others have their address."""
    address = reader.child("address")
    return address is not None and address.attribute("type") == "unassigned"


def _read_usb(reader: Reader, is_managed: bool) -> HostUsb:
    source = reader.required_child("source")
    vendor, product, address = (source.child(tag) for tag in ("vendor", "product", "address"))
    if (vendor is None) != (product is None):
        raise source.wrong("a USB device is told by <vendor> and <product> together")
    if vendor is None and address is None:
        raise source.wrong("missing usb vendor and product, or address")
    return HostUsb(
        is_managed=is_managed,
        vendor_id=None if vendor is None else vendor.integer("id", minimum=1, maximum=0xFFFF),
        product_id=None if product is None else product.integer("id", maximum=0xFFFF),
        bus=None if address is None else address.integer("bus", minimum=1, maximum=999),
        device=None if address is None else address.integer("device", minimum=1, maximum=127),
    )


def _read_scsi(reader: Reader, is_managed: bool) -> HostScsi:
    if is_managed:
        raise reader.wrong("SCSI host device doesn't support managed mode", attribute="managed")
    source = reader.required_child("source")
    adapter = source.required_child("adapter")
    name = adapter.required("name")
    match = _ADAPTER.fullmatch(name)
    if match is None:
        raise adapter.wrong(f"invalid adapter {quoted(name)}, expected 'scsi_host0' or the like")
    address = source.required_child("address")
    return HostScsi(
        is_managed=is_managed,
        adapter=int(match[1]),
        bus=address.integer("bus", maximum=0xFF),
        target=address.integer("target", maximum=0xFFFF),
        unit=address.integer("unit", maximum=MAX_UNIT),
        is_readonly=reader.child("readonly") is not None,
        is_shareable=reader.child("shareable") is not None,
    )


def _read_scsi_target(reader: Reader, is_managed: bool) -> HostScsiTarget:
    source = reader.required_child("source")
    source.choice("protocol", "vhost")
    wwpn = source.required("wwpn")
    if _WWPN.fullmatch(wwpn) is None:
        raise source.wrong(f"malformed 'wwpn' value {quoted(wwpn)}", attribute="wwpn")
    return HostScsiTarget(is_managed=is_managed, wwpn=wwpn)


def _read_mediated(reader: Reader, is_managed: bool) -> HostMediated:
    reader.choice("model", "vfio-pci")
    address = reader.required_child("source").required_child("address")
    text = address.required("uuid")
    try:
        return HostMediated(is_managed=is_managed, uuid=uuid.UUID(text))
    except ValueError:
        raise address.wrong(f"{quoted(text)} is not a UUID", attribute="uuid") from None


_KINDS: dict[str, Callable[[Reader, bool], Device]] = {
    "pci": _read_pci,
    "usb": _read_usb,
    "scsi": _read_scsi,
    "scsi_host": _read_scsi_target,
    "mdev": _read_mediated,
}


def _hostdev(kind: str, is_managed: bool, *children: Element | None, **more: str) -> Element:
    managed = "yes" if is_managed else "no"
    attributes = {"mode": "subsystem", "type": kind, "managed": managed, **more}
    return element("hostdev", attributes, *children)


def write_host_device(device: HostDevice) -> Element:
    """The element that ``read_host_device`` reads."""
    return _hostdev(
        "pci",
        device.is_managed,
        None if device.driver is None else element("driver", {"name": device.driver}),
        element("source", None, pci_address_element(device.source)),
        element("address", {"type": "unassigned"}) if device.is_unassigned else None,
    )


def _write_usb(device: HostUsb) -> Element:
    place = {"bus": device.bus, "device": device.device}
    kind = device.vendor_id is not None
    return _hostdev(
        "usb",
        device.is_managed,
        element(
            "source",
            None,
            element("vendor", {"id": f"0x{device.vendor_id:04x}"}) if kind else None,
            element("product", {"id": f"0x{device.product_id:04x}"}) if kind else None,
            None if device.bus is None else element("address", place),
        ),
    )


def _write_scsi(device: HostScsi) -> Element:
    place = {"bus": device.bus, "target": device.target, "unit": device.unit}
    return _hostdev(
        "scsi",
        device.is_managed,
        element(
            "source",
            None,
            element("adapter", {"name": f"scsi_host{device.adapter}"}),
            element("address", place),
        ),
        element("readonly") if device.is_readonly else None,
        element("shareable") if device.is_shareable else None,
    )


def _write_scsi_target(device: HostScsiTarget) -> Element:
    source = element("source", {"protocol": "vhost", "wwpn": device.wwpn})
    return _hostdev("scsi_host", device.is_managed, source)


def _write_mediated(device: HostMediated) -> Element:
    address = element("address", {"uuid": str(device.uuid)})
    return _hostdev("mdev", device.is_managed, element("source", None, address), model="vfio-pci")


HOST_DEVICE = DeviceType(
    tag="hostdev",
    model=HostDevice,
    read=read_host_device,
    write=write_host_device,
    address=lambda device: None if device.is_unassigned else PciAddress,
)
HOST_USB = DeviceType(
    tag="hostdev",
    model=HostUsb,
    read=read_host_device,
    write=_write_usb,
    address=lambda _device: UsbAddress,
)
HOST_SCSI = DeviceType(
    tag="hostdev",
    model=HostScsi,
    read=read_host_device,
    write=_write_scsi,
    address=lambda _device: DriveAddress,
)
HOST_SCSI_TARGET = DeviceType(
    tag="hostdev", model=HostScsiTarget, read=read_host_device, write=_write_scsi_target
)
HOST_MEDIATED = DeviceType(
    tag="hostdev", model=HostMediated, read=read_host_device, write=_write_mediated
)
