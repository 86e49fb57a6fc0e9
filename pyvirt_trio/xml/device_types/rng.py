"""``<rng model='virtio'>``: random numbers from a file of the host, or QEMU's own."""

from __future__ import annotations

from pyvirt_trio.models import Rng
from pyvirt_trio.xml.device_types.base import DeviceType
from pyvirt_trio.xml.element import Element, element, text_element
from pyvirt_trio.xml.reader import Reader, quoted

# Any other file would be a way to read it from inside the guest.
_SOURCES = ("/dev/urandom", "/dev/random", "/dev/hwrng")

# What libvirt 9.0 takes when the element is empty.
_DEFAULT_SOURCE = "/dev/random"


def read_rng(reader: Reader) -> Rng:
    """An ``Rng`` from ``<rng model='virtio'>``."""
    reader.choice("model", "virtio")
    backend = reader.required_child("backend")
    if backend.choice("model", "random", "builtin") == "builtin":
        return Rng(source=None)
    source = backend.text or _DEFAULT_SOURCE
    if source not in _SOURCES:
        expected = " or ".join(repr(item) for item in _SOURCES)
        raise backend.unsupported(f"source {quoted(source)} is not supported, expected {expected}")
    return Rng(source=source)


def write_rng(rng: Rng) -> Element:
    """The element that ``read_rng`` reads."""
    backend = text_element("backend", rng.source, {"model": "random"})
    own = element("backend", {"model": "builtin"})
    return element("rng", {"model": "virtio"}, backend or own)


RNG = DeviceType(tag="rng", model=Rng, read=read_rng, write=write_rng)
