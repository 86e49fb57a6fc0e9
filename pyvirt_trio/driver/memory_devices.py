"""Memory in QEMU's terms: what a domain starts with, and what is plugged into it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pyvirt_trio.driver.qdev import Backend, place
from pyvirt_trio.models.addresses import DimmAddress
from pyvirt_trio.models.devices import Device
from pyvirt_trio.models.domain import DomainDefinition
from pyvirt_trio.models.memory import (
    Dimm,
    MemoryBacking,
    MemoryDevice,
    Nvdimm,
    VirtioMemory,
    VirtioPmem,
)
from pyvirt_trio.xml.memory import format_cpus

KIB = 1024


HUGE_PAGES = "/dev/hugepages"
"""Where systemd mounts the file system whose files are made of huge pages."""


def memory_options(definition: DomainDefinition, folder: str) -> list[str]:
    """The options of the command line for the memory a domain starts with.

    Args:
        definition: The domain.
        folder: Where files of its own may be.
    """
    backing = definition.memory_backing
    size = f"size={definition.memory_kib}k"
    if definition.max_memory_kib:
        size += f",slots={definition.memory_slots},maxmem={definition.max_memory_kib}k"
    options = ["-m", size]
    if backing.is_locked:
        options += ["-overcommit", "mem-lock=on"]
    if has_own_memory(definition):
        memory = _memory(backing, WHOLE, definition.memory_kib, None, folder)
        options += ["-object", json.dumps(memory)]
    for number, cell in enumerate(definition.cells):
        name = f"ram-node{number}"
        memory = _memory(backing, name, cell.memory_kib, cell.is_shared, folder)
        cpus = "".join(f",cpus={run}" for run in format_cpus(cell.cpus).split(",") if run)
        options += ["-object", json.dumps(memory)]
        options += ["-numa", f"node,nodeid={number}{cpus},memdev={name}"]
    return options


WHOLE = "pc.ram"
"""What QEMU calls the memory of a machine without nodes."""


def has_own_memory(definition: DomainDefinition) -> bool:
    """Whether the memory of a machine without nodes is described, and not QEMU's own choice."""
    backing = definition.memory_backing
    said = (backing.source, backing.access, backing.allocation)
    return not definition.cells and (backing.has_huge_pages or any(said))


def _memory(
    backing: MemoryBacking, name: str, size_kib: int, is_shared: bool | None, folder: str
) -> dict[str, Any]:
    """The object behind a node, or behind all memory (``qemuBuildMemoryBackendProps``)."""
    if is_shared is None and backing.access is not None:
        is_shared = backing.access == "shared"
    kind = {"memfd": "memfd", "file": "file"}.get(backing.source or "", "ram")
    if backing.has_huge_pages and kind != "memfd":
        kind, folder = "file", HUGE_PAGES
    elif is_shared and kind == "ram":
        kind = "memfd"  # another process can only be given what has a descriptor
    properties: dict[str, Any] = {
        "qom-type": f"memory-backend-{kind}",
        "id": name,
        "size": size_kib * KIB,
    }
    if kind == "file":  # QEMU makes one without a name in there
        properties["mem-path"] = folder
        if backing.is_discarded:
            properties["discard-data"] = True
    if kind == "memfd" and backing.has_huge_pages:
        properties["hugetlb"] = True
        if backing.page_kib is not None:
            properties["hugetlbsize"] = backing.page_kib * KIB
    if is_shared is not None:
        properties["share"] = is_shared
    if backing.has_huge_pages or backing.allocation == "immediate":
        properties["prealloc"] = True
    return properties


def backend(device: MemoryDevice) -> tuple[Backend, ...]:
    """The memory behind a device."""
    properties: dict[str, Any] = {"qom-type": "memory-backend-ram", "id": f"mem{device.alias}"}
    if isinstance(device, Nvdimm | VirtioPmem):
        properties |= {"qom-type": "memory-backend-file", "mem-path": device.path}
    elif device.access == "shared":
        properties["qom-type"] = "memory-backend-memfd"
    if device.access is not None:
        properties["share"] = device.access == "shared"
    if isinstance(device, VirtioMemory):
        properties["reserve"] = False  # most of it may never be used
    properties["size"] = device.size_kib * KIB
    return (Backend.of("object", properties),)


def _module(driver: str, device: Dimm | Nvdimm) -> dict[str, Any]:
    address = device.address
    assert isinstance(address, DimmAddress), f"{device} has not been placed"
    properties: dict[str, Any] = {
        "driver": driver,
        "node": device.node,
        "memdev": f"mem{device.alias}",
        "id": device.alias,
        "slot": address.slot,
    }
    if address.base:
        properties["addr"] = address.base
    return properties


def _dimm(device: Dimm) -> dict[str, Any]:
    return _module("pc-dimm", device)


def _nvdimm(device: Nvdimm) -> dict[str, Any]:
    properties = _module("nvdimm", device)
    if device.label_kib is not None:
        properties["label-size"] = device.label_kib * KIB
    if device.is_readonly:
        properties["unarmed"] = True
    return properties


def _virtio_memory(device: VirtioMemory) -> dict[str, Any]:
    return {
        "driver": "virtio-mem-pci",
        "node": device.node,
        "block-size": device.block_kib * KIB,
        **({"requested-size": device.requested_kib * KIB} if device.requested_kib else {}),
        "memdev": f"mem{device.alias}",
        "id": device.alias,
        **place(device),
    }


def _virtio_pmem(device: VirtioPmem) -> dict[str, Any]:
    return {
        "driver": "virtio-pmem-pci",
        "memdev": f"mem{device.alias}",
        "id": device.alias,
        **place(device),
    }


FRONTENDS: dict[type[Device], Callable[[Any], dict[str, Any] | None]] = {
    Dimm: _dimm,
    Nvdimm: _nvdimm,
    VirtioMemory: _virtio_memory,
    VirtioPmem: _virtio_pmem,
}
"""The arguments of ``device_add`` for each of them."""
