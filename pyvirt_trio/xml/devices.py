"""Devices to and from XML: the table of device types, and what all of them share."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from pyvirt_trio.errors import DefinitionError, ErrorCode
from pyvirt_trio.models import Device, Filesystem, Graphics, GuestAddress, PciAddress
from pyvirt_trio.xml.device_types.base import DeviceType
from pyvirt_trio.xml.device_types.channel import CHANNEL, GUEST_FORWARD
from pyvirt_trio.xml.device_types.console import CONSOLE, PARALLEL
from pyvirt_trio.xml.device_types.controller import CONTROLLER
from pyvirt_trio.xml.device_types.disk import DISK
from pyvirt_trio.xml.device_types.display import SOUND, VIDEO
from pyvirt_trio.xml.device_types.graphics import GRAPHICS
from pyvirt_trio.xml.device_types.hostdev import (
    HOST_DEVICE,
    HOST_MEDIATED,
    HOST_SCSI,
    HOST_SCSI_TARGET,
    HOST_USB,
)
from pyvirt_trio.xml.device_types.input import INPUT
from pyvirt_trio.xml.device_types.interface import HOST_INTERFACE, INTERFACE
from pyvirt_trio.xml.device_types.memory import DIMM, NVDIMM, VIRTIO_MEMORY, VIRTIO_PMEM
from pyvirt_trio.xml.device_types.redirdev import REDIRECTED_USB
from pyvirt_trio.xml.device_types.rng import RNG
from pyvirt_trio.xml.device_types.serial import SERIAL
from pyvirt_trio.xml.device_types.sharing import FILESYSTEM, LEASE, VSOCK
from pyvirt_trio.xml.device_types.shmem import SHARED_MEMORY
from pyvirt_trio.xml.device_types.watchdog import WATCHDOG
from pyvirt_trio.xml.element import Element, element, rendered_lines
from pyvirt_trio.xml.parser import parse_document
from pyvirt_trio.xml.reader import Reader, quoted
from pyvirt_trio.xml.values import (
    guest_address_element,
    read_alias,
    read_guest_address,
    read_multifunction,
)

MAX_KNOWN_LINES = 4096
"""Devices whose lines are kept, at half a kilobyte each: those of some hundred domains."""

# A new device type is a file in device_types and a row here. (Any: a heterogeneous table.)
DEVICE_TYPES: tuple[DeviceType[Any], ...] = (
    DISK,
    CONTROLLER,
    INTERFACE,
    SERIAL,
    CHANNEL,
    GUEST_FORWARD,
    INPUT,
    HOST_DEVICE,
    HOST_INTERFACE,
    HOST_USB,
    HOST_SCSI,
    HOST_SCSI_TARGET,
    HOST_MEDIATED,
    REDIRECTED_USB,
    WATCHDOG,
    RNG,
    SHARED_MEMORY,
    CONSOLE,
    PARALLEL,
    VSOCK,
    FILESYSTEM,
    LEASE,
    DIMM,
    NVDIMM,
    VIRTIO_MEMORY,
    VIRTIO_PMEM,
    GRAPHICS,
    SOUND,
    VIDEO,
)

# The rows of one tag share their reader; the model that it gives says which row it is.
_READERS: dict[str, Callable[[Reader], Device]] = {row.tag: row.read for row in DEVICE_TYPES}
_BY_MODEL: dict[type[Device], DeviceType[Any]] = {
    device_type.model: device_type for device_type in DEVICE_TYPES
}


def parse_device(text: str | bytes, *, keep_aliases: bool = False) -> Device:
    """Read one device; its root element decides which kind it is.

    libvirt counterpart: ``virDomainDeviceDefParse``.

    Args:
        text: The document.
        keep_aliases: True for text of our own that describes a running domain. Otherwise only
            aliases that begin with ``ua-`` count, as in libvirt.

    Raises:
        DefinitionError: The text is malformed, wrong or not supported; ``path`` says where.
    """
    return device_of(parse_description(text), keep_aliases=keep_aliases)


def parse_devices(texts: Sequence[str]) -> tuple[Device, ...]:
    """Read what `format_device` has written of the devices of a running domain.

    Raises:
        DefinitionError: A text is none of one device.
    """
    root = parse_document(f"<devices>{''.join(texts)}</devices>")
    if len(root.children) != len(texts):
        raise DefinitionError(f"{len(root.children)} devices, expected {len(texts)}")
    return tuple(device_of(child, keep_aliases=True) for child in root.children)


def parse_description(text: str | bytes) -> Element:
    """The root element of what describes a device, for `device_of`.

    Raises:
        DefinitionError: It is not well-formed.
    """
    return parse_document(text, name="device_definition")


def device_of(root: Element, *, keep_aliases: bool = False) -> Device:
    """The device that a document describes whose root element has been read.

    Raises:
        DefinitionError: As ``parse_device``.
    """
    reader = Reader(root)
    device = read_device(reader, keep_aliases=keep_aliases)
    reader.finish()
    return device


def format_device(device: Device) -> str:
    """``device`` as libvirt prints it; ``parse_device`` gives it back.

    Raises:
        DefinitionError: A value cannot be written such that it reads back the same.
    """
    return "".join(f"{line}\n" for line in device_lines(device))


def read_device(reader: Reader, *, keep_aliases: bool = False) -> Device:
    """The device in an element; the caller finishes ``reader``.

    Raises:
        DefinitionError: As ``parse_device``.
    """
    read = _READERS.get(reader.tag)
    if read is None:
        raise reader.unsupported(f"unknown device type {quoted(reader.tag)}")
    device = read(reader)
    if isinstance(device, Graphics) and device.has_autoport and not keep_aliases:
        device = attrs.evolve(device, port=None)  # of a life that was
    if isinstance(device, Filesystem) and device.source_dir and not keep_aliases:
        device = attrs.evolve(device, socket=None)  # so is this
    kind = address_kind(device)
    return attrs.evolve(
        device,
        alias=read_alias(reader, keep=keep_aliases),
        address=None if kind is None else read_guest_address(reader, kind),
        is_multifunction=read_multifunction(reader) if kind is PciAddress else None,
    )


def address_kind(device: Device) -> type[GuestAddress] | None:
    """The kind of address ``device`` has in a guest; ``None`` when it has none."""
    return _BY_MODEL[type(device)].address(device)


@functools.lru_cache(maxsize=MAX_KNOWN_LINES)
def device_lines(device: Device) -> tuple[str, ...]:
    """The lines of a device's element: a domain is written down far oftener than they change.

    Raises:
        DefinitionError: As `format_device`.
    """
    return rendered_lines(device_element(device))


def device_element(device: Device) -> Element:
    """The element that ``read_device`` reads.

    Raises:
        DefinitionError: As ``format_device``.
    """
    device_type = _BY_MODEL.get(type(device))
    if device_type is None:
        raise DefinitionError(
            f"no XML is known for {type(device).__name__}", code=ErrorCode.CONFIG_UNSUPPORTED
        )
    kind = device_type.address(device)
    if device.address is not None and type(device.address) is not kind:
        raise DefinitionError(f"<{device_type.tag}> cannot have the guest address {device.address}")
    written: Element = device_type.write(device)
    return written.with_children(
        None if device.alias is None else element("alias", {"name": device.alias}),
        None
        if device.address is None
        else guest_address_element(device.address, is_multifunction=device.is_multifunction),
    )
