"""Memory a domain is given in pieces: modules in slots, and memory on the PCI bus."""

from __future__ import annotations

import attrs

from pyvirt_trio.models.devices import Device


@attrs.frozen(kw_only=True)
class MemoryDevice(Device):
    """What all pieces of memory have in common.

    Args:
        size_kib: How large it is, or can become.
        access: ``shared`` or ``private``, towards other processes of the host; ``None`` leaves it
            to QEMU, which takes private.
    """

    size_kib: int
    access: str | None = None


@attrs.frozen(kw_only=True)
class Dimm(MemoryDevice):
    """A memory module in a slot (``pc-dimm``).

    Args:
        node: The guest's NUMA node it belongs to; ``None`` is not said, and libvirt wants it said.
    """

    node: int | None = None


@attrs.frozen(kw_only=True)
class Nvdimm(MemoryDevice):
    """A module whose contents are a file of the host and survive the guest (``nvdimm``).

    Args:
        path: Absolute path of the file.
        node: The guest's NUMA node it belongs to.
        label_kib: How much of it is kept for labels, which part it.
        is_readonly: The guest may not write.
    """

    path: str
    node: int | None = None
    label_kib: int | None = None
    is_readonly: bool = False


@attrs.frozen(kw_only=True)
class VirtioMemory(MemoryDevice):
    """Memory that grows and shrinks in blocks while the guest runs (``virtio-mem-pci``).

    Args:
        requested_kib: How much of it the guest is asked to use.
        block_kib: The unit in which it grows and shrinks; a power of two.
        node: The guest's NUMA node it belongs to.
        current_kib: How much of it the guest of a running domain uses; ``None`` is not known.
    """

    requested_kib: int
    block_kib: int
    node: int | None = None
    current_kib: int | None = None


@attrs.frozen(kw_only=True)
class VirtioPmem(MemoryDevice):
    """A file of the host that the guest sees as memory that survives it (``virtio-pmem-pci``).

    Args:
        path: Absolute path of the file.
    """

    path: str
