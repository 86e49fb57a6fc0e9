"""``<console>`` on virtio and ``<parallel>``: character devices beside the serial ports."""

from __future__ import annotations

from pyvirt_trio.models import Console, Parallel, VirtioSerialAddress
from pyvirt_trio.xml.device_types.base import DeviceType
from pyvirt_trio.xml.device_types.character import read_character_source, source_element
from pyvirt_trio.xml.element import Element, element
from pyvirt_trio.xml.reader import Reader

MAX_PARALLEL_PORT = 2
"""QEMU's ``isa-parallel`` has three of them (LPT1 to LPT3)."""


def read_console(reader: Reader) -> Console:
    """A ``Console`` from ``<console>`` with the target ``virtio``."""
    target = reader.required_child("target")
    kind = target.required("type")
    if kind != "virtio":
        raise target.unsupported(f"unsupported console target type {kind}", attribute="type")
    return Console(
        source=read_character_source(reader), port=target.integer("port", default=0, maximum=0xFF)
    )


def write_console(console: Console) -> Element:
    """The element that ``read_console`` reads."""
    return element(
        "console",
        {"type": console.source.kind},
        source_element(console.source),
        element("target", {"type": "virtio", "port": console.port}),
    )


def read_parallel(reader: Reader) -> Parallel:
    """A ``Parallel`` from ``<parallel>``."""
    source = read_character_source(reader)
    target = reader.child("target")
    if target is None:
        return Parallel(source=source)
    return Parallel(
        source=source, port=target.integer("port", default=0, maximum=MAX_PARALLEL_PORT)
    )


def write_parallel(parallel: Parallel) -> Element:
    """The element that ``read_parallel`` reads."""
    return element(
        "parallel",
        {"type": parallel.source.kind},
        source_element(parallel.source),
        element("target", {"port": parallel.port}),
    )


CONSOLE = DeviceType(
    tag="console",
    model=Console,
    read=read_console,
    write=write_console,
    address=lambda _console: VirtioSerialAddress,
)
PARALLEL = DeviceType(
    tag="parallel",
    model=Parallel,
    read=read_parallel,
    write=write_parallel,
    address=lambda _parallel: None,
)
