"""What is written into attributes, read as the kernel reads it."""

from __future__ import annotations

import errno
import re

from pyvirt_sim.host.tree import failure

PAGE_BYTES = 4096
"""The most that one write to an attribute brings to the kernel."""

_NUMBER = re.compile(r"\+?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)\n?\Z")
_HEX_FIELD = re.compile(r"\s*(?:0[xX])?([0-9a-fA-F]+)")
_TRUE, _FALSE = "yYtT1", "nNfF0"


def name(text: str) -> str:
    """A name as ``sysfs_streq`` compares it: one newline at the end does not count."""
    return text.removesuffix("\n")


def unsigned(text: str, path: str) -> int:
    """A number as ``kstrtoul`` reads it with base 0.

    Raises:
        OSError: ``EINVAL``.
    """
    found = _NUMBER.match(text)
    if found is None:
        raise failure(errno.EINVAL, path)
    digits = found[1]
    is_octal = digits.startswith("0") and digits.isdecimal()
    return int(digits, 8 if is_octal else 0)


def truth(text: str, path: str) -> bool:
    """A truth value as ``kstrtobool`` reads it.

    Raises:
        OSError: ``EINVAL``.
    """
    if text[:1] and text[0] in _TRUE:
        return True
    if text[:1] and text[0] in _FALSE:
        return False
    if text[:2].lower() in ("on", "of"):
        return text[:2].lower() == "on"
    raise failure(errno.EINVAL, path)


def device_id(text: str, path: str) -> tuple[int, int]:
    """Vendor and product, as ``new_id`` and ``remove_id`` scan them.

    Raises:
        OSError: ``EINVAL`` with fewer than two numbers.
        NotImplementedError: More than two numbers.
    """
    fields: list[int] = []
    place = 0
    while found := _HEX_FIELD.match(text, place):
        fields.append(int(found[1], 16))
        place = found.end()
    if len(fields) < 2:
        raise failure(errno.EINVAL, path)
    if len(fields) > 2:
        raise NotImplementedError("subsystem, class and driver data in an id")
    return fields[0], fields[1]


def override(text: str, path: str) -> str | None:
    """What a write to ``driver_override`` sets: up to the newline; None when that is nothing.

    Raises:
        OSError: ``EINVAL`` when it could not be shown with a newline in one page.
    """
    if len(text.encode()) >= PAGE_BYTES - 1:
        raise failure(errno.EINVAL, path)
    return text.partition("\n")[0] or None
