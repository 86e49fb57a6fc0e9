"""``<shmem>``: memory that several guests and the host share."""

from __future__ import annotations

from pyvirt_trio.models import SharedMemory
from pyvirt_trio.xml.device_types.base import DeviceType
from pyvirt_trio.xml.element import Element, element, switched, text_element
from pyvirt_trio.xml.reader import Reader, quoted
from pyvirt_trio.xml.values import checked_path, read_memory_kib

PLAIN = "ivshmem-plain"
DOORBELL = "ivshmem-doorbell"

MAX_NAME_LENGTH = 200
"""The name becomes a file below ``/dev/shm``; Linux allows 255 bytes for one."""

MAX_VECTORS = 2048
"""PCI's limit for one function (MSI-X)."""


def read_shared_memory(reader: Reader) -> SharedMemory:
    """A ``SharedMemory`` from ``<shmem>``."""
    name = reader.required("name")
    if "/" in name or name in (".", "..") or len(name.encode()) > MAX_NAME_LENGTH:
        raise reader.wrong(f"invalid name {quoted(name)}, expected a file name", attribute="name")
    model = reader.required_child("model").choice("type", PLAIN, DOORBELL)
    size, server, msi = (reader.child(tag) for tag in ("size", "server", "msi"))
    if msi is not None and server is None:
        raise reader.wrong("msi option is only supported with a server")
    if (server is not None) != (model == DOORBELL):
        needed = "enabled" if model == DOORBELL else "disabled"
        raise reader.unsupported(
            f"shmem model '{model}' is supported only with server option {needed}"
        )
    if server is not None:
        if size is not None:
            raise reader.unsupported(f"shmem model '{model}' does not support size setting")
        return _with_server(name, server, msi)
    if size is None:
        return SharedMemory(name=name)
    size_bytes = read_memory_kib(size, default_unit="M") * 1024
    if size_bytes & (size_bytes - 1) or size_bytes < 1 << 20:
        # ivshmem is a PCI bar: QEMU refuses other sizes, libvirt says so from 1 MiB on.
        raise size.wrong("shmem size must be a power of two, at least 1 MiB")
    return SharedMemory(name=name, size_bytes=size_bytes)


def _with_server(name: str, server: Reader, msi: Reader | None) -> SharedMemory:
    given = server.attribute("path")
    path = f"/var/lib/libvirt/shmem-{name}-sock" if given is None else given
    vectors = has_ioeventfd = None
    if msi is not None:
        if msi.attribute("vectors") is not None:
            vectors = msi.integer("vectors", minimum=1, maximum=MAX_VECTORS)
        has_ioeventfd = msi.optional_switch("ioeventfd", "on", "off")
    return SharedMemory(
        name=name,
        server=checked_path(server, path, attribute="path"),
        vectors=vectors,
        has_ioeventfd=has_ioeventfd,
    )


def write_shared_memory(device: SharedMemory) -> Element:
    """The element that ``read_shared_memory`` reads."""
    if device.server is None:
        size = text_element("size", device.size_bytes >> 20, {"unit": "M"})
        return element("shmem", {"name": device.name}, element("model", {"type": PLAIN}), size)
    ioeventfd = switched(device.has_ioeventfd, "on", "off")
    msi = element("msi", {"vectors": device.vectors, "ioeventfd": ioeventfd})
    return element(
        "shmem",
        {"name": device.name},
        element("model", {"type": DOORBELL}),
        element("server", {"path": device.server}),
        msi if msi.attributes else None,
    )


SHARED_MEMORY = DeviceType(
    tag="shmem", model=SharedMemory, read=read_shared_memory, write=write_shared_memory
)
