"""``<serial>``: a serial port."""

from __future__ import annotations

from pyvirt_trio.models import GuestAddress, PciAddress, Serial, UsbAddress
from pyvirt_trio.xml.device_types.base import DeviceType
from pyvirt_trio.xml.device_types.character import read_character_source, source_element
from pyvirt_trio.xml.element import Element, element
from pyvirt_trio.xml.reader import Reader

_ISA = "isa-serial"
_ADDRESSES: dict[str, type[GuestAddress] | None] = {
    _ISA: None,
    "usb-serial": UsbAddress,
    "pci-serial": PciAddress,
}

# A PC has four of them (COM1 to COM4); QEMU's isa-serial refuses a fifth.
_MAX_PORT = 3


def read_serial(reader: Reader) -> Serial:
    """A ``Serial`` from ``<serial>``."""
    source = read_character_source(reader)
    target = reader.child("target")
    if target is None:
        return Serial(source=source)
    kind = target.choice("type", *_ADDRESSES, default=_ISA)
    model = target.child("model")
    if model is not None:
        model.choice("name", kind)
    is_chosen = target.attribute("port") is not None
    port = target.integer("port", maximum=_MAX_PORT) if is_chosen else None
    return Serial(port=port, source=source, model=kind)


def write_serial(serial: Serial) -> Element:
    """The element that ``read_serial`` reads."""
    return element(
        "serial",
        {"type": serial.source.kind},
        source_element(serial.source),
        element(
            "target",
            {"type": serial.model, "port": serial.port},
            element("model", {"name": serial.model}),
        ),
    )


SERIAL = DeviceType(
    tag="serial",
    model=Serial,
    read=read_serial,
    write=write_serial,
    address=lambda serial: _ADDRESSES[serial.model],
)
