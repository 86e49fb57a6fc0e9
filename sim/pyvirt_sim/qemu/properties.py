"""Reading the words given for properties of devices, with QEMU's complaints."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu.errors import QmpError
from pyvirt_sim.qemu.recorded_devices import Row

_NUMBER: Final = re.compile(r"\s*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")
_SIZE: Final = re.compile(
    r"\s*\+?(?:0[xX]([0-9a-fA-F]+)|([0-9]+)(?:\.([0-9]*))?)([bBkKmMgGtTpPeE]?)"
)
_SUFFIXES: Final = "bkmgtpe"
_YES: Final = frozenset({"on", "yes", "true", "y"})
_NO: Final = frozenset({"off", "no", "false", "n"})
# Type -> whether it has a sign, and its width in bits.
_INTEGERS: Final[Mapping[str, tuple[bool, int]]] = {
    "int": (True, 64),
    "int32": (True, 32),
    "uint4": (False, 4),
    "uint8": (False, 8),
    "uint16": (False, 16),
    "uint32": (False, 32),
    "uint64": (False, 64),
}


def read(name: str, kind: str, description: str | None, text: str) -> object:
    """The value that ``text`` gives to a property.

    Args:
        name: The property.
        kind: Its QOM type.
        description: QEMU's description of it; for an enumeration, its values.
        text: What was given.

    Raises:
        QmpError: QEMU does not take it.
        ModelGapError: How QEMU reads that type is not modelled.
    """
    if kind in {"str", "string"}:
        return text
    if kind == "bool":
        return _boolean(name, text)
    if kind in _INTEGERS:
        return _integer(name, kind, text)
    if kind == "size":
        return _size(name, text)
    values = _enumeration(description)
    if values is None:
        raise ModelGapError(f"values of type {kind} are not modelled: property {name}")
    if text not in values:
        raise QmpError(f"Parameter '{name}' does not accept value '{text}'")
    return text


def _boolean(name: str, text: str) -> bool:
    if text in _YES:
        return True
    if text in _NO:
        return False
    raise QmpError(f"Parameter '{name}' expects 'on' or 'off'")


def parse_integer(text: str) -> int | None:
    """Read a whole number as C does: decimal, ``0x`` or ``0`` and octal; ``None`` if it is none."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    digits = match[2]
    is_octal = len(digits) > 1 and digits[0] == "0" and digits[1] not in "xX"
    value = int(digits, 8) if is_octal else int(digits, 0)
    return -value if match[1] == "-" else value


def _integer(name: str, kind: str, text: str) -> int:
    is_signed, bits = _INTEGERS[kind]
    value = parse_integer(text)
    low, high = (-(1 << 63), (1 << 63) - 1) if is_signed else (-(1 << 64) + 1, (1 << 64) - 1)
    if value is None or not low <= value <= high:
        raise QmpError(f"Parameter '{name}' expects integer")
    if not is_signed:
        value %= 1 << 64
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if is_signed else (0, (1 << bits) - 1)
    if not low <= value <= high:
        raise QmpError(f"Parameter '{name}' expects {kind}_t")
    return int(value)


def _size(name: str, text: str) -> int:
    match = _SIZE.fullmatch(text)
    if match is None:
        raise QmpError(f"Parameter '{name}' expects size")
    if match[1] is not None:
        if match[4]:
            raise ModelGapError(f"hexadecimal sizes with a suffix are not modelled: {text}")
        return int(match[1], 16)
    scale: int = 1024 ** _SUFFIXES.index((match[4] or "b").lower())
    whole = int(match[2]) * scale
    if match[3]:
        whole += int(match[3]) * scale // 10 ** len(match[3])
    if whole >= 1 << 64:
        raise QmpError(f"Parameter '{name}' expects size")
    return whole


def _enumeration(description: str | None) -> tuple[str, ...] | None:
    if description is None:
        return None
    values = tuple(description.rpartition(", ")[2].split("/"))
    return values if len(values) > 1 else None


def writable(driver: str, row: Row) -> None:
    """Check that a property may be given at all.

    Raises:
        QmpError: It is read only.
        ModelGapError: Giving it is not modelled.
    """
    name, kind = row[0], row[1]
    if name in {"type", "parent_bus", "hotplugged", "hotpluggable"} or kind.startswith("child<"):
        raise QmpError(f"Property '{driver}.{name}' is not writable")
    if name == "realized" or name.startswith("legacy-"):
        raise ModelGapError(f"property {driver}.{name} is not modelled as an option")
