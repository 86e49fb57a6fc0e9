"""A domain's memory: what is behind it, modules in slots, and memory on the PCI bus."""

from __future__ import annotations

import attrs

from pyvirt_trio.models.devices import Device
from pyvirt_trio.models.value import Value


@attrs.frozen(kw_only=True, eq=False, repr=False)
class MemoryBacking(Value):
    """What of the host is behind the memory a domain starts with.

    Args:
        has_huge_pages: It is made of huge pages, which must be set aside on the host.
        page_kib: Their size; ``None`` leaves it to the host.
        source: ``anonymous``, ``memfd`` or ``file``; ``None`` leaves it to this library.
        access: ``shared`` or ``private``, towards other processes of the host, for every node that
            does not say it itself; ``None`` means private.
        is_locked: The host may not swap it out.
        shares_pages: The host may keep equal pages once (KSM).
        allocation: ``immediate`` takes it all when the machine begins, ``ondemand`` when the guest
            first uses it; ``None`` means the latter, except for huge pages.
        is_discarded: What a file held is thrown away at the end, not written.
    """

    has_huge_pages: bool = False
    page_kib: int | None = None
    source: str | None = None
    access: str | None = None
    is_locked: bool = False
    shares_pages: bool = True
    allocation: str | None = None
    is_discarded: bool = False


@attrs.frozen(kw_only=True, eq=False, repr=False)
class MemoryDevice(Device):
    """What all pieces of memory have in common.

    Args:
        size_kib: How large it is, or can become.
        access: ``shared`` or ``private``, towards other processes of the host; ``None`` leaves it
            to QEMU, which takes private.
    """

    size_kib: int
    access: str | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Dimm(MemoryDevice):
    """A memory module in a slot (``pc-dimm``).

    Args:
        node: The guest's NUMA node it belongs to; ``None`` is not said, and libvirt wants it said.
    """

    node: int | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False)
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


@attrs.frozen(kw_only=True, eq=False, repr=False)
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


@attrs.frozen(kw_only=True, eq=False, repr=False)
class VirtioPmem(MemoryDevice):
    """A file of the host that the guest sees as memory that survives it (``virtio-pmem-pci``).

    Args:
        path: Absolute path of the file.
    """

    path: str
