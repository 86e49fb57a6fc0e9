"""``<memoryBacking>``: what of the host is behind the memory a domain starts with."""

from __future__ import annotations

from pyvirt_trio.models import MemoryBacking
from pyvirt_trio.xml.element import Element, element
from pyvirt_trio.xml.reader import Reader
from pyvirt_trio.xml.values import read_memory_kib

PAGE_SIZES_KIB = (2048, 1048576)
"""Huge pages of x86."""


def read_memory_backing(reader: Reader | None) -> MemoryBacking:
    """A ``MemoryBacking`` from ``<memoryBacking>``, which may be missing.

    Raises:
        DefinitionError: It is wrong, or its parts do not go together.
    """
    if reader is None:
        return MemoryBacking()
    huge = reader.child("hugepages")
    source = _choice(reader, "source", "type", "anonymous", "memfd", "file")
    allocation = _choice(reader, "allocation", "mode", "immediate", "ondemand")
    if huge is not None and allocation == "ondemand":
        raise reader.wrong("hugepages are not allowed with memory allocation ondemand")
    if huge is not None and source == "anonymous":
        raise reader.wrong("hugepages are not allowed with anonymous memory source")
    return MemoryBacking(
        has_huge_pages=huge is not None,
        page_kib=None if huge is None else _read_page(huge),
        source=source,
        access=_choice(reader, "access", "mode", "shared", "private"),
        is_locked=reader.child("locked") is not None,
        shares_pages=reader.child("nosharepages") is None,
        allocation=allocation,
        is_discarded=reader.child("discard") is not None,
    )


def _choice(reader: Reader, tag: str, attribute: str, *allowed: str) -> str | None:
    child = reader.child(tag)
    return None if child is None else child.choice(attribute, *allowed, default="") or None


def _read_page(huge: Reader) -> int | None:
    """The size of the pages; which nodes have others is not represented."""
    page = huge.child("page")
    if page is None:
        return None
    text = Element("size", {"unit": page.attribute("unit") or "KiB"}, text=page.required("size"))
    size_kib = read_memory_kib(Reader(text, path=f"{page.path}/@size"))
    if size_kib not in PAGE_SIZES_KIB:
        raise page.unsupported(f"Unable to find any usable hugetlbfs mount for {size_kib} KiB")
    return size_kib


def memory_backing_element(backing: MemoryBacking) -> Element | None:
    """The element that ``read_memory_backing`` reads; ``None`` when there is nothing to say."""
    if backing == MemoryBacking():
        return None
    page = element("page", {"size": backing.page_kib, "unit": "KiB"}) if backing.page_kib else None
    return element(
        "memoryBacking",
        None,
        element("hugepages", None, page) if backing.has_huge_pages else None,
        None if backing.shares_pages else element("nosharepages"),
        element("locked") if backing.is_locked else None,
        element("source", {"type": backing.source}) if backing.source else None,
        element("access", {"mode": backing.access}) if backing.access else None,
        element("allocation", {"mode": backing.allocation}) if backing.allocation else None,
        element("discard") if backing.is_discarded else None,
    )
