"""``<vcpu>`` and ``<vcpus>``: how many processors a domain has, and which."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from pyvirt_trio.models.domain import DomainDefinition
from pyvirt_trio.models.vcpus import Vcpu, plain_vcpus
from pyvirt_trio.xml.element import Element, element, text_element
from pyvirt_trio.xml.reader import Reader, parse_number, quoted

MAX_VCPUS = 288
"""QEMU's limit for q35, which libvirt holds a definition to (``qemuValidateDomainDef``)."""


def read_vcpus(domain: Reader, *, keep_aliases: bool) -> tuple[tuple[Vcpu, ...], bool]:
    """The places for processors, and whether they are listed one by one.

    Raises:
        DefinitionError: They are not a machine's (libvirt's sentences where it has one).
    """
    count = domain.child("vcpu")
    listed = domain.child("vcpus")
    if count is None:
        current = maximum = 1
    else:
        count.choice("placement", "static", default="static")
        maximum = _read_maximum(count)
        current = count.integer("current", default=maximum, maximum=0xFFFF)
        if current > maximum:
            raise count.unsupported(
                "maximum vCPU count must not be less than current vCPU count", attribute="current"
            )
    rows = [child.take() for child in listed.children] if listed is not None else []
    vcpus = _read_rows(rows, maximum) if rows else plain_vcpus(current, maximum)
    wrong_at = listed if rows else count
    if wrong_at is not None:
        _check(wrong_at, vcpus)
    if keep_aliases:
        vcpus = tuple(vcpu.named() if vcpu.is_plugged else vcpu for vcpu in vcpus)
    return vcpus, bool(rows)


def _read_maximum(reader: Reader) -> int:
    text = reader.text.strip()
    maximum = parse_number(text) if not text.startswith("0") else None
    if maximum is None:
        raise reader.wrong(f"invalid count {quoted(text)}, expected a number from 1 to {MAX_VCPUS}")
    if maximum > MAX_VCPUS:
        raise reader.unsupported(too_many())
    return maximum


def too_many() -> str:
    """libvirt's sentence for more processors than the machine type takes."""
    return f"Maximum CPUs greater than specified machine type limit {MAX_VCPUS}"


def _read_rows(rows: list[Reader], maximum: int) -> tuple[Vcpu, ...]:
    """Places that are not listed are empty."""
    places = [Vcpu(id=number, is_enabled=False, is_hotpluggable=True) for number in range(maximum)]
    listed: set[int] = set()
    for row in rows:
        if row.tag != "vcpu":
            raise row.unsupported("this element is not supported")
        vcpu = _read_row(row)
        if vcpu.id >= maximum:
            raise row.wrong(f"vcpu id '{vcpu.id}' is out of range of maximum vcpu count")
        if vcpu.id in listed:
            raise row.wrong(f"vcpu id '{vcpu.id}' is given more than once")
        listed.add(vcpu.id)
        places[vcpu.id] = vcpu
    return tuple(places)


def _read_row(row: Reader) -> Vcpu:
    number = row.integer("id", maximum=0xFFFF)
    row.required("enabled")
    is_enabled = row.switch("enabled", "yes", "no", default=True)
    is_hotpluggable = row.switch("hotpluggable", "yes", "no", default=not is_enabled)
    if not is_enabled and not is_hotpluggable:
        raise row.unsupported(f"vcpu '{number}' is both offline and not hotpluggable")
    order = row.integer("order", default=0, maximum=0xFFFF)
    return Vcpu(
        id=number, is_enabled=is_enabled, is_hotpluggable=is_hotpluggable, order=order or None
    )


def _check(reader: Reader, vcpus: tuple[Vcpu, ...]) -> None:
    """What libvirt asks of them together (``qemuDomainDefVcpusPostParse``)."""
    first = vcpus[0]
    if not first.is_enabled:
        raise reader.unsupported("vcpu 0 can't be offline")
    if first.is_hotpluggable:
        raise reader.unsupported("vcpu0 can't be hotpluggable")
    if first.order not in (None, 1):
        raise reader.unsupported("vcpu0 must be enabled first")
    for before, vcpu in itertools.pairwise(vcpus):
        if vcpu.is_enabled and (vcpu.order is None) != (first.order is None):
            raise reader.unsupported("all vcpus must have either set or unset order")
        if vcpu.is_hotpluggable:
            continue
        if before.is_hotpluggable:
            raise reader.unsupported(
                "online non-hotpluggable vcpus need to be ordered prior to hotplugable vcpus"
            )
        if (before.order or 0) > (vcpu.order or 0):
            raise reader.unsupported(
                "online non-hotpluggable vcpus must be ordered in ascending order"
            )


def vcpu_elements(definition: DomainDefinition) -> Iterator[Element | None]:
    """The elements that `read_vcpus` reads."""
    current, maximum = definition.vcpu_count, len(definition.vcpus)
    given = {"placement": "static", "current": current if current < maximum else None}
    yield text_element("vcpu", maximum, given)
    if definition.lists_vcpus:
        yield element("vcpus", None, *map(_row, definition.vcpus))


def _row(vcpu: Vcpu) -> Element:
    return element(
        "vcpu",
        {
            "id": vcpu.id,
            "enabled": "yes" if vcpu.is_enabled else "no",
            "hotpluggable": "yes" if vcpu.is_hotpluggable else "no",
            "order": vcpu.order,
        },
    )
