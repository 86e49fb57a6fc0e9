"""``<redirdev bus='usb'>``: a USB device that comes over a character device."""

from __future__ import annotations

from pyvirt_trio.models import RedirectedUsb, UsbAddress
from pyvirt_trio.xml.device_types.base import DeviceType
from pyvirt_trio.xml.device_types.character import read_character_source, source_element
from pyvirt_trio.xml.element import Element, element
from pyvirt_trio.xml.reader import Reader


def read_redirected_usb(reader: Reader) -> RedirectedUsb:
    """A ``RedirectedUsb`` from ``<redirdev bus='usb'>``."""
    reader.choice("bus", "usb", default="usb")
    return RedirectedUsb(source=read_character_source(reader, "unix", "tcp"))


def write_redirected_usb(device: RedirectedUsb) -> Element:
    """The element that ``read_redirected_usb`` reads."""
    attributes = {"bus": "usb", "type": device.source.kind}
    return element("redirdev", attributes, source_element(device.source))


REDIRECTED_USB = DeviceType(
    tag="redirdev",
    model=RedirectedUsb,
    read=read_redirected_usb,
    write=write_redirected_usb,
    address=lambda _device: UsbAddress,
)
