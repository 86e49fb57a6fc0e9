"""Reading of identifiers, PCI addresses and values, as QEMU's parsers do it."""

from __future__ import annotations

import re
from typing import Final

_IDENTIFIER: Final = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")
_SLOT_FUNCTION: Final = re.compile(r"(?:0[xX])?([0-9a-fA-F]+)(?:\.(?:0[xX])?([0-9a-fA-F]+))?")
_MAC: Final = re.compile(r"[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}")
_HOST_ADDRESS: Final = re.compile(r"(?:[0-9a-fA-F]{1,4}:)?[0-9a-fA-F]{1,2}:[0-9a-fA-F]{1,2}\.[0-7]")


def is_identifier(value: object) -> bool:
    """Whether ``value`` may be an id: a letter, then letters, digits, ``-``, ``.``, ``_``."""
    return isinstance(value, str) and _IDENTIFIER.fullmatch(value) is not None


def parse_slot_function(value: object) -> tuple[int, int] | None:
    """Read a PCI ``addr``: ``0x2``, ``0x2.0x1``, or a number that holds slot and function.

    Returns:
        Slot and function; ``None`` when the value is not an address.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return (value >> 3, value & 7) if 0 <= value <= 0xFF else None
    match = _SLOT_FUNCTION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    slot, function = int(match[1], 16), int(match[2] or "0", 16)
    return (slot, function) if slot <= 0x1F and function <= 7 else None


def is_mac(value: object) -> bool:
    """Whether ``value`` is an Ethernet address of six bytes."""
    return isinstance(value, str) and _MAC.fullmatch(value) is not None


def full_host_address(value: object) -> str | None:
    """The kernel's form of a host PCI address, domain included; ``None`` when it is none."""
    if not isinstance(value, str) or _HOST_ADDRESS.fullmatch(value) is None:
        return None
    return value.lower() if value.count(":") == 2 else f"0000:{value.lower()}"
