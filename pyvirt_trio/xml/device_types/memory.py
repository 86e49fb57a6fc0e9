"""``<memory>``: memory modules, and memory on the PCI bus."""

from __future__ import annotations

from pyvirt_trio.errors import ErrorCode
from pyvirt_trio.models import (
    Device,
    Dimm,
    DimmAddress,
    MemoryDevice,
    Nvdimm,
    VirtioMemory,
    VirtioPmem,
)
from pyvirt_trio.xml.device_types.base import DeviceType
from pyvirt_trio.xml.element import Element, element, text_element
from pyvirt_trio.xml.reader import Reader, parse_number, quoted
from pyvirt_trio.xml.values import checked_path, read_memory_kib

MAX_NODES = 128
"""QEMU's limit for NUMA nodes (``MAX_NODES``)."""

MIN_BLOCK_KIB = 2048
"""libvirt's limit: a transparent huge page, below which the host could not give memory back."""

_KNOWN_MODELS = ("dimm", "nvdimm", "virtio-pmem", "virtio-mem", "sgx-epc")
"""``virDomainMemoryModel``."""

_KIB = {"unit": "KiB"}


def read_memory_device(reader: Reader) -> Device:
    """A `MemoryDevice` from ``<memory model=...>``."""
    given = reader.required("model")
    if given not in _KNOWN_MODELS:
        raise reader.wrong(
            f"Invalid value for attribute 'model' in element 'memory': {quoted(given)}.",
            attribute="model",
        )
    model = reader.choice("model", "dimm", "nvdimm", "virtio-mem", "virtio-pmem")
    access = reader.choice("access", "shared", "private", default="")
    target = reader.required_child("target")
    size = target.child("size")
    if size is None:
        raise target.wrong("missing element or attribute './size'")
    size_kib = read_memory_kib(size)
    if model == "dimm":
        return Dimm(size_kib=size_kib, access=access or None, node=_read_node(target))
    if model == "virtio-mem":
        return _read_virtio_memory(target, size_kib, access or None)
    source = reader.required_child("source").required_child("path")
    path = checked_path(source, source.text)
    if model == "nvdimm":
        return Nvdimm(
            size_kib=size_kib,
            access=access or None,
            path=path,
            node=_read_node(target),
            label_kib=_read_label(target, size_kib),
            is_readonly=target.child("readonly") is not None,
        )
    access = access or "shared"  # libvirt's default for this model alone
    if access != "shared":
        raise reader.unsupported("shared access mode required for virtio-pmem device")
    return VirtioPmem(size_kib=size_kib, access=access, path=path)


def _read_node(target: Reader) -> int | None:
    node = target.child("node")
    if node is None:
        return None
    number = parse_number(node.text.strip())
    if number is None or number >= MAX_NODES:
        raise node.wrong(f"invalid value of memory device node {quoted(node.text.strip())}")
    return number


def _read_label(target: Reader, size_kib: int) -> int | None:
    label = target.child("label")
    if label is None:
        return None
    label_kib = read_memory_kib(label.required_child("size"))
    if label_kib < 128:
        raise label.wrong("nvdimm label must be at least 128KiB")
    if label_kib >= size_kib:
        raise label.wrong("label size must be smaller than NVDIMM size")
    return label_kib


def _read_virtio_memory(target: Reader, size_kib: int, access: str | None) -> VirtioMemory:
    block = target.child("block")
    block_kib = MIN_BLOCK_KIB if block is None else read_memory_kib(block)
    requested = target.required_child("requested")
    requested_kib = _read_size_or_zero(requested)
    current = target.child("current")  # what a running domain reports; a new one has not begun
    refuse_sizes(target, size_kib, block_kib, requested_kib)
    return VirtioMemory(
        size_kib=size_kib,
        access=access,
        block_kib=block_kib,
        requested_kib=requested_kib,
        node=_read_node(target),
        current_kib=None if current is None else _read_size_or_zero(current),
    )


def _read_size_or_zero(reader: Reader) -> int:
    if reader.text.strip() == "0":
        reader.attribute("unit")
        return 0
    return read_memory_kib(reader)


def refuse_sizes(target: Reader, size_kib: int, block_kib: int, requested_kib: int) -> None:
    """The sizes of virtio memory fit together (``virDomainMemoryDefValidate``).

    Raises:
        DefinitionError: They do not (``XML_DETAIL``).
    """
    if requested_kib > size_kib:
        words = f"requested size must be smaller than or equal to @size ({size_kib}KiB)"
    elif block_kib & (block_kib - 1):
        words = "block size must be a power of two"
    elif block_kib < MIN_BLOCK_KIB:
        words = f"block size too small, must be at least {MIN_BLOCK_KIB}KiB"
    elif requested_kib % block_kib:
        words = "requested size must be an integer multiple of block size"
    elif size_kib % block_kib:
        words = "size must be an integer multiple of block size"
    else:
        return
    error = target.wrong(words)
    error.code = ErrorCode.XML_DETAIL
    raise error


def _write(
    device: MemoryDevice, model: str, *target: Element | None, path: str | None = None
) -> Element:
    source = None if path is None else element("source", None, text_element("path", path))
    size = text_element("size", device.size_kib, _KIB)
    attributes = {"model": model, "access": device.access}
    return element("memory", attributes, source, element("target", None, size, *target))


def write_dimm(device: Dimm) -> Element:
    """The element that ``read_memory_device`` reads."""
    return _write(device, "dimm", text_element("node", device.node))


def write_nvdimm(device: Nvdimm) -> Element:
    """The element that ``read_memory_device`` reads."""
    label = text_element("size", device.label_kib, _KIB)
    return _write(
        device,
        "nvdimm",
        text_element("node", device.node),
        None if label is None else element("label", None, label),
        element("readonly") if device.is_readonly else None,
        path=device.path,
    )


def write_virtio_memory(device: VirtioMemory) -> Element:
    """The element that ``read_memory_device`` reads."""
    return _write(
        device,
        "virtio-mem",
        text_element("node", device.node),
        text_element("block", device.block_kib, _KIB),
        text_element("requested", device.requested_kib, _KIB),
        text_element("current", device.current_kib, _KIB),
    )


def write_virtio_pmem(device: VirtioPmem) -> Element:
    """The element that ``read_memory_device`` reads."""
    return _write(device, "virtio-pmem", path=device.path)


DIMM = DeviceType(
    tag="memory",
    model=Dimm,
    read=read_memory_device,
    write=write_dimm,
    address=lambda _device: DimmAddress,
)
NVDIMM = DeviceType(
    tag="memory",
    model=Nvdimm,
    read=read_memory_device,
    write=write_nvdimm,
    address=lambda _device: DimmAddress,
)
VIRTIO_MEMORY = DeviceType(
    tag="memory", model=VirtioMemory, read=read_memory_device, write=write_virtio_memory
)
VIRTIO_PMEM = DeviceType(
    tag="memory", model=VirtioPmem, read=read_memory_device, write=write_virtio_pmem
)
