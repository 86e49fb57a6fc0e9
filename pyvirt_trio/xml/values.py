"""Values that several elements share: addresses, paths, sizes, aliases."""

from __future__ import annotations

import re

import attrs

from pyvirt_trio.errors import DefinitionError
from pyvirt_trio.models import (
    DimmAddress,
    DriveAddress,
    GuestAddress,
    PciAddress,
    SataAddress,
    UsbAddress,
    VirtioSerialAddress,
)
from pyvirt_trio.xml.defaults import USER_ALIAS_PREFIX
from pyvirt_trio.xml.element import Element, element, switched
from pyvirt_trio.xml.reader import Reader, parse_number, quoted

_ALIAS = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")

# virScaleInteger: k, m, g, t, p, e, alone or with "iB" in powers of 1024, with "B" in powers of
# 1000, in any case.
_UNIT = re.compile(r"([kmgtpe])(ib|b|)", re.IGNORECASE)
_PREFIXES = "kmgtpe"

DISK_NAME = re.compile(r"(?:fd|hd|vd|sd|xvd|ubd)([a-z]{1,3})")
"""What the guest may call a disk (``virDiskNameParse``), and its letters."""

_MAX_MEMORY_BYTES = 2**63 - 1
"""libvirt's own limit (LLONG_MAX)."""

MAX_INDEX = 0xFF
"""Highest index of a controller."""

MAX_UNIT = 16383
"""Highest logical unit of virtio-scsi (``virDomainDeviceFindSCSIController``, SCSI-3 limit)."""

SATA_PORTS = 6
"""The controller that q35 has built in (ICH9 AHCI)."""

MAX_SERIAL_PORT = 30
"""QEMU's virtio-serial has 31 ports and keeps port 0 for a console."""

MAX_MEMORY_SLOTS = 256
"""QEMU's limit (``ACPI_MAX_RAM_SLOTS``)."""

_ADDRESS_TYPES: dict[type[GuestAddress], str] = {
    DimmAddress: "dimm",
    DriveAddress: "drive",
    SataAddress: "drive",
    UsbAddress: "usb",
    VirtioSerialAddress: "virtio-serial",
}


# -- PCI addresses -------------------------------------------------------------------------------


def read_pci_address(reader: Reader, *, max_domain: int = 0xFFFFFFFF) -> PciAddress:
    """The four numbers of ``<address>``; each one that is missing is 0, as in libvirt."""
    return PciAddress(
        domain=reader.integer("domain", default=0, maximum=max_domain),
        bus=reader.integer("bus", default=0, maximum=0xFF),
        slot=reader.integer("slot", default=0, maximum=0x1F),
        function=reader.integer("function", default=0, maximum=7),
    )


def read_guest_pci_address(reader: Reader) -> PciAddress | None:
    """Where the guest sees a PCI device, or ``None`` for "choose one".

    An address whose domain, bus and slot are all 0 belongs to the host bridge; libvirt takes it
    as "choose one", too.
    """
    address = reader.child("address")
    if address is None:
        return None
    if address.element.attributes.get("type") == "unassigned":
        raise address.unsupported("address of type 'unassigned' is supported only for hostdevs")
    address.choice("type", "pci")
    found = read_pci_address(address, max_domain=0)
    if found.bus or found.slot:
        return found
    if found.function:
        raise address.wrong("invalid PCI address, bus or slot must not be 0")
    return None


def read_multifunction(reader: Reader) -> bool | None:
    """What a device's PCI address says of its slot: whether others share it; ``None`` nothing."""
    address = reader.child("address")
    return None if address is None else address.optional_switch("multifunction", "on", "off")


def read_guest_address(reader: Reader, kind: type[GuestAddress]) -> GuestAddress | None:
    """Where the guest sees a device, which must be an address of this ``kind``."""
    if kind is PciAddress:
        return read_guest_pci_address(reader)
    address = reader.child("address")
    if address is None:
        return None
    address.choice("type", _ADDRESS_TYPES[kind])
    if kind is DriveAddress:
        return DriveAddress(
            controller=address.integer("controller", default=0, maximum=MAX_INDEX),
            bus=address.integer("bus", default=0, maximum=0),
            target=address.integer("target", default=0, maximum=0xFF),
            unit=address.integer("unit", default=0, maximum=MAX_UNIT),
        )
    if kind is SataAddress:
        for name in ("controller", "bus", "target"):  # the board has one, with a disk at each port
            address.integer(name, default=0, maximum=0)
        return SataAddress(unit=address.integer("unit", default=0, maximum=SATA_PORTS - 1))
    if kind is UsbAddress:
        return UsbAddress(
            bus=address.integer("bus", default=0, maximum=MAX_INDEX),
            port=address.integer("port", minimum=1, maximum=0xFF),
        )
    if kind is DimmAddress:
        return DimmAddress(
            slot=address.integer("slot", default=0, maximum=MAX_MEMORY_SLOTS - 1),
            base=address.integer("base", default=0, maximum=2**64 - 1),
        )
    return VirtioSerialAddress(
        controller=address.integer("controller", default=0, maximum=MAX_INDEX),
        port=_serial_port(address),
    )


def _serial_port(address: Reader) -> int:
    address.integer("bus", default=0, maximum=0)  # virtio-serial has one bus
    return address.integer("port", minimum=1, maximum=MAX_SERIAL_PORT)


def pci_address_element(
    address: PciAddress, *, type_: str | None = None, is_multifunction: bool | None = None
) -> Element:
    """``<address>`` as libvirt prints it."""
    switch = switched(is_multifunction, "on", "off")
    numbers = {
        "domain": f"0x{address.domain:04x}",
        "bus": f"0x{address.bus:02x}",
        "slot": f"0x{address.slot:02x}",
        "function": f"0x{address.function:x}",
    }
    return element("address", {"type": type_, **numbers, "multifunction": switch})


def guest_address_element(address: GuestAddress, *, is_multifunction: bool | None) -> Element:
    """``<address>`` for what ``read_guest_address`` and ``read_multifunction`` give back."""
    if isinstance(address, PciAddress):
        if address.domain or not (address.bus or address.slot):
            raise DefinitionError(f"{address} is not an address a device of a guest can have")
        return pci_address_element(address, type_="pci", is_multifunction=is_multifunction)
    if isinstance(address, DimmAddress):
        base = f"{address.base:#x}" if address.base else None
        return element("address", {"type": "dimm", "slot": address.slot, "base": base})
    numbers = attrs.asdict(address)
    if isinstance(address, SataAddress):
        numbers = attrs.asdict(DriveAddress(address.controller, unit=address.unit))
    if isinstance(address, VirtioSerialAddress):
        numbers = {"controller": address.controller, "bus": 0, "port": address.port}
    return element("address", {"type": _ADDRESS_TYPES[type(address)], **numbers})


# -- names ---------------------------------------------------------------------------------------


def read_alias(reader: Reader, *, keep: bool) -> str | None:
    """The alias that counts: one the user chose, or any when ``keep``."""
    alias = reader.child("alias")
    if alias is None:
        return None
    name = alias.required("name")
    if not keep and not name.startswith(USER_ALIAS_PREFIX):
        return None
    # It becomes part of QEMU's command line and of object paths.
    if _ALIAS.fullmatch(name) is None:
        raise alias.wrong(
            f"invalid alias {quoted(name)}, expected 1 to 128 of a-z A-Z 0-9 _ - .",
            attribute="name",
        )
    return name


def read_mac(reader: Reader) -> str:
    """A unicast MAC address in lower case."""
    mac = reader.required("address").lower()
    if _MAC.fullmatch(mac) is None:
        raise reader.wrong(
            f"invalid MAC address {quoted(mac)}, expected a form like 52:54:00:12:34:56",
            attribute="address",
        )
    if int(mac[:2], 16) & 1:
        raise reader.wrong(f"expected a unicast MAC address, found {mac}", attribute="address")
    return mac


def checked_path(reader: Reader, path: str, *, attribute: str | None = None) -> str:
    """``path``, which is absolute (a daemon's working directory means nothing to its clients)."""
    if not path.startswith("/"):
        raise reader.wrong(f"{quoted(path)} is not an absolute path", attribute=attribute)
    return path


# -- sizes ---------------------------------------------------------------------------------------


def read_memory_kib(reader: Reader, *, default_unit: str = "KiB") -> int:
    """A memory size in KiB, rounded up, from any of libvirt's units."""
    unit = reader.attribute("unit") or default_unit
    scale = _unit_bytes(unit)
    if scale is None:
        raise reader.wrong(
            f"unknown unit {quoted(unit)}, expected b, bytes, or one of k M G T P E, alone or "
            "followed by iB or B",
            attribute="unit",
        )
    text = reader.text.strip()
    count = parse_number(text) if not text.startswith("0") else None
    if not count or count * scale > _MAX_MEMORY_BYTES:
        raise reader.wrong(
            f"invalid size {quoted(text)}, expected a number from 1 to {_MAX_MEMORY_BYTES // scale}"
        )
    return -(-count * scale // 1024)


def _unit_bytes(unit: str) -> int | None:
    if unit.lower() in ("b", "byte", "bytes"):
        return 1
    match = _UNIT.fullmatch(unit)
    if match is None:
        return None
    base = 1000 if match[2].lower() == "b" else 1024
    return int(base ** (_PREFIXES.index(match[1].lower()) + 1))
