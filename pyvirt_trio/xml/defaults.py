"""What may stand in a description without being represented, because it changes nothing.

libvirt writes these into every domain it defines, and so do its clients. Each row says exactly
what the machine is like anyway; any other value of the same element is refused. The rows marked
``is_written`` are also printed, because a libvirt that reads our text would otherwise choose
something else.
"""

from __future__ import annotations

import functools

import attrs

from pyvirt_trio.xml.element import Element
from pyvirt_trio.xml.parser import parse_document

# libvirt overwrites all other aliases, so it does not matter what they say.
USER_ALIAS_PREFIX = "ua-"


@attrs.frozen
class AcceptedDefault:
    """One element that may be given and is not kept.

    Args:
        parent: Path of the element around it.
        xml: The element, exactly.
        reason: Why it changes nothing.
        is_written: True when ``format_domain`` prints it.
    """

    parent: str
    xml: str
    reason: str
    is_written: bool = False


ACCEPTED_DEFAULTS: tuple[AcceptedDefault, ...] = (
    AcceptedDefault("/domain/os", "<boot dev='hd'/>", "the firmware starts with disks", True),
    AcceptedDefault("/domain/features", "<acpi/>", "q35 has ACPI", True),
    AcceptedDefault("/domain/features", "<apic/>", "q35 has an APIC"),
    AcceptedDefault(
        "/domain",
        "<cpu mode='custom' match='exact' check='none'>"
        "<model fallback='forbid'>qemu64</model></cpu>",
        "QEMU's default processor, as libvirt writes it",
    ),
    AcceptedDefault("/domain", "<clock offset='utc'/>", "QEMU's clock shows UTC", True),
    AcceptedDefault(
        "/domain/devices", "<controller type='usb' model='none'/>", "there is no USB controller"
    ),
    AcceptedDefault(
        "/domain/devices",
        "<controller type='usb' index='0' model='none'/>",
        "there is no USB controller",
        True,
    ),
    AcceptedDefault(
        "/domain/devices", "<controller type='sata' index='0'/>", "q35 has one built in"
    ),
    AcceptedDefault(
        "/domain/devices",
        "<controller type='sata' index='0'>"
        "<address type='pci' domain='0x0000' bus='0x00' slot='0x1f' function='0x2'/>"
        "</controller>",
        "q35 has one built in, there",
    ),
    AcceptedDefault("/domain/devices", "<input type='mouse' bus='ps2'/>", "q35 has one built in"),
    AcceptedDefault(
        "/domain/devices", "<input type='keyboard' bus='ps2'/>", "q35 has one built in"
    ),
    AcceptedDefault("/domain/devices", "<audio id='1' type='none'/>", "nobody hears a guest"),
    AcceptedDefault("/domain/devices", "<memballoon model='none'/>", "there is no balloon", True),
)

KEPT_AS_TEXT: tuple[tuple[str, str], ...] = (("/domain", "metadata"),)
"""Parent and tag of what belongs to other programs: any contents, read by `metadata`."""


def is_accepted(parent: str, found: Element) -> bool:
    """True when ``found`` below the path ``parent`` changes nothing."""
    place = (parent, found.tag)
    accepted = _accepted_elements().get(place)
    if accepted is None:
        return place in KEPT_AS_TEXT
    return _without_alias(found) in accepted


@functools.cache
def written_defaults(parent: str) -> tuple[Element, ...]:
    """The defaults to print below ``parent``, in the order of the table."""
    return tuple(
        parse_document(row.xml)
        for row in ACCEPTED_DEFAULTS
        if row.parent == parent and row.is_written
    )


@functools.cache
def _accepted_elements() -> dict[tuple[str, str], list[Element]]:
    found: dict[tuple[str, str], list[Element]] = {}
    for row in ACCEPTED_DEFAULTS:
        accepted = parse_document(row.xml)
        found.setdefault((row.parent, accepted.tag), []).append(accepted)
    return found


def _without_alias(found: Element) -> Element:
    """``found`` without an alias that libvirt has chosen."""
    kept = tuple([child for child in found.children if not _is_chosen_alias(child)])
    return found if len(kept) == len(found.children) else attrs.evolve(found, children=kept)


def _is_chosen_alias(child: Element) -> bool:
    name = child.attributes.get("name", "")
    return child.tag == "alias" and not name.startswith(USER_ALIAS_PREFIX)
