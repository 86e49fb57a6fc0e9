"""Which virtual processors a request means, and what a definition is like afterwards.

libvirt's rules and sentences (``qemuDomainSetVcpusInternal``, ``qemuDomainSetVcpuInternal``).
Nothing here talks to a QEMU.
"""

from __future__ import annotations

import itertools
import re

import attrs

from pyvirt_trio.errors import ArgumentError, DefinitionError, ErrorCode, PyvirtError
from pyvirt_trio.models.domain import DomainDefinition
from pyvirt_trio.models.vcpus import Vcpu, in_order, numbered
from pyvirt_trio.xml.reader import quoted
from pyvirt_trio.xml.vcpus import MAX_VCPUS, too_many

MAX_MAP = 16384
"""The numbers a map of processors may name are below this (``QEMU_GUEST_VCPU_MAX_ID``)."""

_PART = re.compile(r"(\^)?([0-9]{1,5})(?:-([0-9]{1,5}))?")


def parse_cpu_map(text: str) -> frozenset[int]:
    """The numbers in a map such as ``1-3,^2``.

    Raises:
        DefinitionError: It is none, or it names nothing (``INVALID_ARG``).
    """
    numbers: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part.strip())
        first, last = (match[2], match[3] or match[2]) if match else ("1", "0")
        is_taken_out = match is not None and match[1] is not None
        if int(first) > int(last) or int(last) >= MAX_MAP or (is_taken_out and match and match[3]):
            raise invalid(f"Failed to parse bitmap {quoted(text)}")
        run = range(int(first), int(last) + 1)
        numbers = numbers - set(run) if is_taken_out else numbers | set(run)
    if not numbers:
        raise invalid("no vcpus selected for modification")
    return frozenset(numbers)


# -- a running machine ----------------------------------------------------------------------------


def choose_count(live: DomainDefinition, count: int) -> tuple[list[Vcpu], list[Vcpu]]:
    """What comes and what goes, in order, until the machine has ``count`` processors.

    The lowest free places are taken first; the highest processors that can go do so first.

    Raises:
        DefinitionError: There are not that many places, or too few that can be unplugged.
    """
    _require_room(live, count, "live")
    missing = count - live.vcpu_count
    coming = [vcpu for vcpu in live.vcpus if not vcpu.is_enabled][: max(missing, 0)]
    unpluggable = [vcpu for vcpu in reversed(live.vcpus) if vcpu.alias is not None]
    leaving = unpluggable[: max(-missing, 0)]
    if len(coming) - len(leaving) != missing:
        raise DefinitionError(
            "failed to find appropriate hotpluggable vcpus to reach the desired target vcpu count",
            code=ErrorCode.CONFIG_UNSUPPORTED,
        )
    return coming, leaving


def choose_listed(live: DomainDefinition, numbers: frozenset[int], *, enabled: bool) -> Vcpu:
    """The one processor that is to come or to go.

    Raises:
        DefinitionError: It is there, or gone, already; or it is more than one.
    """
    for number in sorted(numbers):
        if live.vcpus[number].is_enabled == enabled:
            raise invalid(f"vcpu '{number}' is already in requested state")
    if len(numbers) != 1:  # what to do when the second fails?
        raise unsupported("only one hotpluggable entity can be selected")
    return live.vcpus[min(numbers)]


def require_unpluggable(vcpu: Vcpu) -> None:
    """``vcpu`` can leave a running machine.

    Raises:
        DefinitionError: It was there from the start, and stays (``OPERATION_UNSUPPORTED``).
    """
    if vcpu.alias is None:
        raise unsupported(f"vcpu '{vcpu.id}' can't be unplugged")


def with_vcpu(live: DomainDefinition, vcpu: Vcpu, *, enabled: bool) -> DomainDefinition:
    """``live`` with a processor in this place, the latest that has come, or with none."""
    last = len(live.vcpus) + 1
    changed = attrs.evolve(
        vcpu, is_enabled=enabled, is_hotpluggable=True, order=last if enabled else None
    )
    places = (changed if one.id == vcpu.id else one for one in live.vcpus)
    return attrs.evolve(live, vcpus=numbered(places), lists_vcpus=True)


def require_orders(vcpus: tuple[Vcpu, ...]) -> None:
    """A machine can start with these processors (``qemuProcessValidateHotpluggableVcpus``).

    Raises:
        DefinitionError: Two have the same order, or one has a larger one than there are places.
    """
    there = in_order(vcpus)
    if not any(vcpu.is_plugged for vcpu in there):
        return
    seen: set[int] = set()
    for vcpu in there:
        if vcpu.order in seen:
            raise _wrong(f"duplicate vcpu order '{vcpu.order}'")
        if vcpu.order is not None:
            seen.add(vcpu.order)
        if (vcpu.order or 0) > len(vcpus):
            raise _wrong(f"vcpu order '{vcpu.order}' exceeds vcpu count")


# -- a definition ---------------------------------------------------------------------------------


def with_count(persistent: DomainDefinition, count: int, *, hotpluggable: bool) -> DomainDefinition:
    """``persistent`` with ``count`` processors; those that come are of the given sort.

    Raises:
        DefinitionError: It has not that many places.
    """
    _require_room(persistent, count, "persistent")
    missing = count - persistent.vcpu_count
    places = list(persistent.vcpus)
    lists_vcpus = persistent.lists_vcpus
    for vcpu in places if missing > 0 else ():
        if vcpu.is_enabled:
            # What can be unplugged comes behind what cannot.
            hotpluggable = hotpluggable or vcpu.is_hotpluggable
        elif missing > 0:
            missing -= 1
            places[vcpu.id] = attrs.evolve(vcpu, is_enabled=True, is_hotpluggable=hotpluggable)
            lists_vcpus = lists_vcpus or hotpluggable
    for vcpu in [vcpu for vcpu in reversed(places) if vcpu.is_enabled][: max(-missing, 0)]:
        places[vcpu.id] = attrs.evolve(vcpu, is_enabled=False, is_hotpluggable=True)
    return _with_places(persistent, places, lists_vcpus=lists_vcpus)


def with_maximum(persistent: DomainDefinition, maximum: int) -> DomainDefinition:
    """``persistent`` with so many places: the highest go, or new ones come, which are empty.

    Raises:
        DefinitionError: No machine has that many, or a memory node has a processor beyond.
    """
    if maximum > MAX_VCPUS:
        raise _wrong(too_many())
    if any(number >= maximum for cell in persistent.cells for number in cell.cpus):
        raise _wrong("CPU IDs in <numa> exceed the <vcpu> count")
    present = len(persistent.vcpus)
    more = (
        Vcpu(id=number, is_enabled=False, is_hotpluggable=True)
        for number in range(present, maximum)
    )
    places = [*persistent.vcpus[:maximum], *more]
    return _with_places(persistent, places, lists_vcpus=persistent.lists_vcpus)


def with_listed(
    persistent: DomainDefinition, numbers: frozenset[int], *, enabled: bool
) -> DomainDefinition:
    """``persistent`` with processors in these places, or with none.

    Raises:
        DefinitionError: One of them is the first, without which there is no machine; or one that
            is to stay would come behind one that may go (``INVALID_ARG``).
    """
    if 0 in numbers:
        raise invalid("vCPU '0' can't be modified")
    places = list(persistent.vcpus)
    for number in numbers:
        places[number] = attrs.evolve(places[number], is_enabled=enabled, is_hotpluggable=True)
    for before, vcpu in itertools.pairwise(places):
        if before.is_hotpluggable and not vcpu.is_hotpluggable:
            raise invalid(
                f"vcpu '{min(numbers)}' can't be modified as it is followed by non-hotpluggable "
                "online vcpus"
            )
    return _with_places(persistent, places, lists_vcpus=True)


def _with_places(
    definition: DomainDefinition, places: list[Vcpu], *, lists_vcpus: bool
) -> DomainDefinition:
    """As libvirt, forgets the order, which may make no sense any more."""
    vcpus = tuple(attrs.evolve(vcpu, order=None) for vcpu in places)
    return attrs.evolve(definition, vcpus=vcpus, lists_vcpus=lists_vcpus)


# -- refusals -------------------------------------------------------------------------------------


def require_present(definition: DomainDefinition, numbers: frozenset[int], which: str) -> None:
    """``definition`` has all these places.

    Raises:
        DefinitionError: It has not.
    """
    last = max(numbers)
    if last >= len(definition.vcpus):
        raise invalid(f"vcpu {last} is not present in {which} config")


def _require_room(definition: DomainDefinition, count: int, which: str) -> None:
    most = len(definition.vcpus)
    if count > most:
        raise invalid(
            f"requested vcpus is greater than max allowable vcpus for the {which} domain: "
            f"{count} > {most}"
        )


def no_vcpus() -> PyvirtError:
    """The error for a count of none."""
    return ArgumentError("nvcpus in virDomainSetVcpusFlags must not be zero")


def invalid(message: str) -> PyvirtError:
    """The error for an argument that makes no sense."""
    return DefinitionError(message, code=ErrorCode.INVALID_ARG)


def unsupported(message: str) -> PyvirtError:
    """The error for what cannot be done to a running machine."""
    return DefinitionError(message, code=ErrorCode.OPERATION_UNSUPPORTED)


def _wrong(message: str) -> PyvirtError:
    return DefinitionError(message, code=ErrorCode.CONFIG_UNSUPPORTED)
