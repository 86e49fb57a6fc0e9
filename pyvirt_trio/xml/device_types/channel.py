"""``<channel>``: a virtio channel, or an address that the user network forwards to the host."""

from __future__ import annotations

import ipaddress

from pyvirt_trio.models import Channel, GuestForward, VirtioSerialAddress
from pyvirt_trio.xml.device_types.base import DeviceType
from pyvirt_trio.xml.device_types.character import read_character_source, source_element
from pyvirt_trio.xml.element import Element, element
from pyvirt_trio.xml.reader import Reader, quoted


def read_channel(reader: Reader) -> Channel | GuestForward:
    """A ``Channel`` or ``GuestForward`` from ``<channel>``."""
    target = reader.required_child("target")
    if target.choice("type", "virtio", "guestfwd") == "guestfwd":
        return _read_guest_forward(reader, target)
    return Channel(source=read_character_source(reader), name=target.attribute("name") or None)


def _read_guest_forward(reader: Reader, target: Reader) -> GuestForward:
    address = target.required("address")
    try:
        ip_address = str(ipaddress.IPv4Address(address))
    except ValueError:
        raise target.wrong(
            f"invalid address {quoted(address)}, expected a form like 10.0.2.1",
            attribute="address",
        ) from None
    return GuestForward(
        source=read_character_source(reader),
        ip_address=ip_address,
        port=target.integer("port", minimum=1, maximum=0xFFFF),
    )


def write_channel(channel: Channel) -> Element:
    """The element that ``read_channel`` reads."""
    return element(
        "channel",
        {"type": channel.source.kind},
        source_element(channel.source),
        element("target", {"type": "virtio", "name": channel.name}),
    )


def write_guest_forward(forward: GuestForward) -> Element:
    """The element that ``read_channel`` reads."""
    target = {"type": "guestfwd", "address": forward.ip_address, "port": forward.port}
    return element(
        "channel",
        {"type": forward.source.kind},
        source_element(forward.source),
        element("target", target),
    )


CHANNEL = DeviceType(
    tag="channel",
    model=Channel,
    read=read_channel,
    write=write_channel,
    address=lambda _channel: VirtioSerialAddress,
)
GUEST_FORWARD = DeviceType(
    tag="channel",
    model=GuestForward,
    read=read_channel,
    write=write_guest_forward,
    address=lambda _forward: None,
)
