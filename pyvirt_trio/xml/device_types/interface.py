"""``<interface>``: a virtio network card, or a function of one of the host's cards."""

from __future__ import annotations

import re

from pyvirt_trio.models import HostInterface, Interface
from pyvirt_trio.xml.device_types.base import DeviceType
from pyvirt_trio.xml.device_types.host_interface import (
    read_host_interface,
    write_host_interface,
)
from pyvirt_trio.xml.element import Element, element, switched
from pyvirt_trio.xml.reader import Reader, quoted
from pyvirt_trio.xml.values import checked_path, read_mac

MAX_NAME_LENGTH = 15
"""Linux has room for 15 characters and a zero (``IFNAMSIZ``)."""

_TRUST = "trustGuestRxFilters"
_NAME = re.compile(rf"(?!\.{{1,2}}$)[^\s/:,\0]{{1,{MAX_NAME_LENGTH}}}")


def read_interface(reader: Reader) -> Interface | HostInterface:
    """A network card from ``<interface>``; its type decides which kind it is."""
    kind = reader.choice("type", "user", "ethernet", "bridge", "vhostuser", "hostdev")
    if kind == "hostdev":
        return read_host_interface(reader)
    # Without a model libvirt would choose one that is not virtio, so it must be said.
    reader.required_child("model").choice("type", "virtio")
    mac = reader.child("mac")
    link = reader.child("link")
    source, is_server = _read_source(reader, kind)
    return Interface(
        kind=kind,
        source=source,
        is_server=is_server,
        mac=None if mac is None else read_mac(mac),
        is_link_up=link is None or link.switch("state", "up", "down", default=True),
        trusts_filters=reader.optional_switch(_TRUST, "yes", "no"),
    )


def _read_source(reader: Reader, kind: str) -> tuple[str | None, bool]:
    """What a card is connected to, and whether QEMU listens there."""
    if kind == "user":
        return None, False
    if kind == "ethernet":
        target = reader.required_child("target")
        if target.switch("managed", "yes", "no", default=True):
            raise target.unsupported(
                "this library makes no network device of the host: make the tap, and say "
                "managed='no'",
                attribute="managed",
            )
        return _read_name(target, "dev"), False
    source = reader.required_child("source")
    if kind == "bridge":
        return _read_name(source, "bridge"), False
    source.choice("type", "unix", default="unix")
    path = checked_path(source, source.required("path"), attribute="path")
    return path, source.choice("mode", "client", "server") == "server"


def _read_name(reader: Reader, attribute: str) -> str:
    name = reader.required(attribute)
    if _NAME.fullmatch(name) is None:
        raise reader.wrong(
            f"invalid name {quoted(name)}, expected 1 to {MAX_NAME_LENGTH} of the characters "
            "the kernel takes for a network device",
            attribute=attribute,
        )
    return name


def _source_elements(interface: Interface) -> tuple[Element | None, ...]:
    match interface.kind:
        case "ethernet":
            return (element("target", {"dev": interface.source, "managed": "no"}),)
        case "bridge":
            return (element("source", {"bridge": interface.source}),)
        case "vhostuser":
            mode = "server" if interface.is_server else "client"
            return (element("source", {"type": "unix", "path": interface.source, "mode": mode}),)
        case _:
            return ()


def write_interface(interface: Interface) -> Element:
    """The element that ``read_interface`` reads."""
    return element(
        "interface",
        {"type": interface.kind, _TRUST: switched(interface.trusts_filters, "yes", "no")},
        None if interface.mac is None else element("mac", {"address": interface.mac}),
        *_source_elements(interface),
        element("model", {"type": "virtio"}),
        None if interface.is_link_up else element("link", {"state": "down"}),
    )


INTERFACE = DeviceType(tag="interface", model=Interface, read=read_interface, write=write_interface)
HOST_INTERFACE = DeviceType(
    tag="interface", model=HostInterface, read=read_interface, write=write_host_interface
)
