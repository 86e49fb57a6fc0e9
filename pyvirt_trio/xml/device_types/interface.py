"""``<interface>``: a virtio network card on QEMU's user-mode network, or one of the host's."""

from __future__ import annotations

from pyvirt_trio.models import HostInterface, Interface
from pyvirt_trio.xml.device_types.base import DeviceType
from pyvirt_trio.xml.device_types.host_interface import (
    read_host_interface,
    write_host_interface,
)
from pyvirt_trio.xml.element import Element, element
from pyvirt_trio.xml.reader import Reader
from pyvirt_trio.xml.values import read_mac


def read_interface(reader: Reader) -> Interface | HostInterface:
    """A network card from ``<interface>``; its type decides which kind it is."""
    if reader.choice("type", "user", "hostdev") == "hostdev":
        return read_host_interface(reader)
    # Without a model libvirt would choose one that is not virtio, so it must be said.
    reader.required_child("model").choice("type", "virtio")
    mac = reader.child("mac")
    link = reader.child("link")
    return Interface(
        mac=None if mac is None else read_mac(mac),
        is_link_up=link is None or link.switch("state", "up", "down", default=True),
    )


def write_interface(interface: Interface) -> Element:
    """The element that ``read_interface`` reads."""
    return element(
        "interface",
        {"type": "user"},
        None if interface.mac is None else element("mac", {"address": interface.mac}),
        element("model", {"type": "virtio"}),
        None if interface.is_link_up else element("link", {"state": "down"}),
    )


INTERFACE = DeviceType(tag="interface", model=Interface, read=read_interface, write=write_interface)
HOST_INTERFACE = DeviceType(
    tag="interface", model=HostInterface, read=read_interface, write=write_host_interface
)
