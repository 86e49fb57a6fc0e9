"""``<shmem>``: memory that several guests and the host share."""

from __future__ import annotations

from pyvirt_trio.models import SharedMemory
from pyvirt_trio.xml.device_types.base import DeviceType
from pyvirt_trio.xml.element import Element, element, text_element
from pyvirt_trio.xml.reader import Reader, quoted
from pyvirt_trio.xml.values import read_memory_kib

_MODEL = "ivshmem-plain"

MAX_NAME_LENGTH = 200
"""The name becomes a file below ``/dev/shm``; Linux allows 255 bytes for one."""


def read_shared_memory(reader: Reader) -> SharedMemory:
    """A ``SharedMemory`` from ``<shmem>``."""
    name = reader.required("name")
    if "/" in name or name in (".", "..") or len(name.encode()) > MAX_NAME_LENGTH:
        raise reader.wrong(f"invalid name {quoted(name)}, expected a file name", attribute="name")
    reader.required_child("model").choice("type", _MODEL)
    size = reader.child("size")
    if size is None:
        return SharedMemory(name=name)
    size_bytes = read_memory_kib(size, default_unit="M") * 1024
    if size_bytes & (size_bytes - 1) or size_bytes < 1 << 20:
        # ivshmem is a PCI bar: QEMU refuses other sizes, libvirt says so from 1 MiB on.
        raise size.wrong("shmem size must be a power of two, at least 1 MiB")
    return SharedMemory(name=name, size_bytes=size_bytes)


def write_shared_memory(device: SharedMemory) -> Element:
    """The element that ``read_shared_memory`` reads."""
    return element(
        "shmem",
        {"name": device.name},
        element("model", {"type": _MODEL}),
        text_element("size", device.size_bytes >> 20, {"unit": "M"}),
    )


SHARED_MEMORY = DeviceType(
    tag="shmem", model=SharedMemory, read=read_shared_memory, write=write_shared_memory
)
