"""``<input>``: a keyboard, mouse or tablet on USB or virtio."""

from __future__ import annotations

from pyvirt_trio.models import Input, PciAddress, UsbAddress
from pyvirt_trio.xml.device_types.base import DeviceType
from pyvirt_trio.xml.element import Element, element
from pyvirt_trio.xml.reader import Reader


def read_input(reader: Reader) -> Input:
    """An ``Input`` from ``<input>``."""
    kind = reader.choice("type", "keyboard", "mouse", "tablet")
    # Without a bus libvirt gives a mouse and a keyboard to PS/2, which cannot be plugged.
    default = "usb" if kind == "tablet" else None
    return Input(kind=kind, bus=reader.choice("bus", "usb", "virtio", default=default))


def write_input(device: Input) -> Element:
    """The element that ``read_input`` reads."""
    return element("input", {"type": device.kind, "bus": device.bus})


INPUT = DeviceType(
    tag="input",
    model=Input,
    read=read_input,
    write=write_input,
    address=lambda device: UsbAddress if device.bus == "usb" else PciAddress,
)
