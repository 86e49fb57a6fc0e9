"""``<serial>``: a serial port that writes to a file or to nowhere."""

from __future__ import annotations

from pyvirt_trio.models import Serial
from pyvirt_trio.xml.device_types.base import DeviceType
from pyvirt_trio.xml.element import Element, element
from pyvirt_trio.xml.reader import Reader
from pyvirt_trio.xml.values import checked_path

_ISA = "isa-serial"

# A PC has four of them (COM1 to COM4); QEMU's isa-serial refuses a fifth.
_MAX_PORT = 3


def read_serial(reader: Reader) -> Serial:
    """A ``Serial`` from ``<serial type='file'>`` or ``<serial type='null'>``."""
    log_file = read_character_source(reader)
    target = reader.child("target")
    if target is None:
        return Serial(log_file=log_file)
    target.choice("type", _ISA, default=_ISA)
    model = target.child("model")
    if model is not None:
        model.choice("name", _ISA)
    return Serial(port=target.integer("port", default=0, maximum=_MAX_PORT), log_file=log_file)


def read_character_source(reader: Reader) -> str | None:
    """Where the output goes: the path of a file, or ``None`` for nowhere.

    A terminal (``pty``) is refused: nobody would read it while no client is connected, and the
    guest could stall on it.
    """
    if reader.choice("type", "file", "null") == "null":
        return None
    source = reader.required_child("source")
    return checked_path(source, source.required("path"), attribute="path")


def write_serial(serial: Serial) -> Element:
    """The element that ``read_serial`` reads."""
    is_file = serial.log_file is not None
    return element(
        "serial",
        {"type": "file" if is_file else "null"},
        element("source", {"path": serial.log_file}) if is_file else None,
        element(
            "target",
            {"type": _ISA, "port": serial.port},
            element("model", {"name": _ISA}),
        ),
    )


SERIAL = DeviceType(
    tag="serial",
    model=Serial,
    read=read_serial,
    write=write_serial,
    address=lambda _serial: None,
)
