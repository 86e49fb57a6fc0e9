"""The memory of a domain: how much it starts with, how much it may get, and its NUMA nodes.

libvirt counts what is plugged in as part of ``<memory>``, and works that number out anew when there
are NUMA nodes: what each of them has is then what counts. So does this module.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import attrs

from pyvirt_trio.models import Device, DomainDefinition, MemoryDevice, NumaCell
from pyvirt_trio.xml.element import Element, element, switched, text_element
from pyvirt_trio.xml.reader import Reader, quoted
from pyvirt_trio.xml.values import MAX_MEMORY_SLOTS, read_memory_kib

_SHARED = {"": None, "shared": True, "private": False}
_CPU_RANGE = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")


@attrs.frozen
class Memory:
    """What the elements outside ``<devices>`` say, in the terms of `DomainDefinition`."""

    memory_kib: int
    max_memory_kib: int
    memory_slots: int
    cells: tuple[NumaCell, ...]


def read_memory(
    reader: Reader, given_kib: int, devices: tuple[Device, ...], max_vcpus: int
) -> Memory:
    """The memory of the domain in ``reader``, whose ``<memory>`` and devices have been read.

    Raises:
        DefinitionError: It is wrong, or leaves out what libvirt demands.
    """
    cells = _read_cells(reader, max_vcpus)
    modules_kib = sum(one.size_kib for one in devices if isinstance(one, MemoryDevice))
    memory_kib = sum(cell.memory_kib for cell in cells) if cells else given_kib - modules_kib
    if memory_kib <= 0:
        raise reader.wrong("Total size of memory devices exceeds the total memory size")
    current = reader.child("currentMemory")
    if current is not None and read_memory_kib(current) not in (
        given_kib,
        memory_kib + modules_kib,
    ):
        raise current.unsupported(
            f"a value other than <memory> ({given_kib} KiB) is not supported: there is no balloon"
        )
    most = reader.child("maxMemory")
    if most is None:
        return Memory(memory_kib, 0, 0, cells)
    return Memory(
        memory_kib,
        read_memory_kib(most),
        most.integer("slots", default=0, maximum=MAX_MEMORY_SLOTS),
        cells,
    )


def _read_cells(reader: Reader, max_vcpus: int) -> tuple[NumaCell, ...]:
    if any(child.tag == "cpu" and child.is_default for child in reader.children):
        return ()
    cpu = reader.child("cpu")
    if cpu is None:
        return ()
    _check_processor(cpu)
    numa = cpu.required_child("numa")
    cells: list[NumaCell] = []
    for child in numa.children:
        if child.tag != "cell":
            continue
        cell = _read_cell(child.take(), len(cells), max_vcpus)
        if {cpu for other in cells for cpu in other.cpus} & set(cell.cpus):
            raise child.wrong(f"NUMA cell {len(cells)} has vCPU ids of another one")
        cells.append(cell)
    if not any(cell.cpus for cell in cells):
        raise numa.unsupported("At least one NUMA node has to have CPUs")
    return tuple(cells)


def _check_processor(cpu: Reader) -> None:
    """Accepts what libvirt writes beside ``<numa>``: QEMU's default processor."""
    cpu.choice("mode", "custom", default="custom")
    cpu.choice("match", "exact", default="exact")
    cpu.choice("check", "none", default="none")
    model = cpu.child("model")
    if model is not None:
        model.choice("fallback", "forbid", default="forbid")
        if model.text != "qemu64":
            raise model.unsupported(f"{quoted(model.text)} is not supported, expected 'qemu64'")


def _read_cell(reader: Reader, number: int, max_vcpus: int) -> NumaCell:
    if reader.integer("id", default=number, maximum=0xFFFF) != number:
        raise reader.unsupported(f"cells are numbered in order, expected id {number}")
    unit = reader.attribute("unit") or "KiB"
    size = element("memory", {"unit": unit})
    size = attrs.evolve(size, text=reader.required("memory"))
    return NumaCell(
        cpus=_read_cpus(reader, max_vcpus),
        memory_kib=read_memory_kib(Reader(size, path=f"{reader.path}/@memory")),
        is_shared=_SHARED[reader.choice("memAccess", "shared", "private", default="")],
    )


def _read_cpus(reader: Reader, max_vcpus: int) -> tuple[int, ...]:
    text = reader.attribute("cpus") or ""
    numbers: set[int] = set()
    for part in filter(None, text.split(",")):
        match = _CPU_RANGE.fullmatch(part.strip())
        first, last = (match[1], match[2] or match[1]) if match else ("1", "0")
        if int(first) > int(last):
            raise reader.wrong(
                f"invalid cpus {quoted(text)}, expected a form like 0-3,5", attribute="cpus"
            )
        if int(last) >= max_vcpus:
            raise reader.wrong("CPU IDs in <numa> exceed the <vcpu> count", attribute="cpus")
        numbers.update(range(int(first), int(last) + 1))
    return tuple(sorted(numbers))


def memory_elements(definition: DomainDefinition) -> Iterator[Element | None]:
    """The elements before ``<vcpu>`` that ``read_memory`` reads."""
    unit = {"unit": "KiB"}
    if definition.max_memory_kib:
        slots = {"slots": definition.memory_slots or None, **unit}
        yield text_element("maxMemory", definition.max_memory_kib, slots)
    yield text_element("memory", definition.total_memory_kib, unit)
    yield text_element("currentMemory", definition.total_memory_kib, unit)


def cpu_element(definition: DomainDefinition) -> Element | None:
    """The element ``<cpu>`` that ``read_memory`` reads; ``None`` when there are no nodes."""
    if not definition.cells:
        return None
    cells = (
        element(
            "cell",
            {
                "id": number,
                "cpus": format_cpus(cell.cpus) or None,
                "memory": cell.memory_kib,
                "unit": "KiB",
                "memAccess": switched(cell.is_shared, "shared", "private"),
            },
        )
        for number, cell in enumerate(definition.cells)
    )
    model = text_element("model", "qemu64", {"fallback": "forbid"})
    mode = {"mode": "custom", "match": "exact", "check": "none"}
    return element("cpu", mode, model, element("numa", None, *cells))


def format_cpus(numbers: tuple[int, ...]) -> str:
    """Numbers in libvirt's form, such as ``0-3,5``."""
    runs: list[str] = []
    for _, group in itertools.groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        run = [number for _, number in group]
        runs.append(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}")
    return ",".join(runs)
