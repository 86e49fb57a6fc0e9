"""The head of a saved machine: what it was, in front of what QEMU wrote about it.

An image is one file::

    {"format": "pyvirt-save", ...}     one line of JSON: `Head`, lengths and a checksum
    <domain ...> ... </domain>         the live definition, with the aliases of its devices
    (empty lines)                      up to a multiple of `ALIGNMENT`
    QEVM...                            QEMU's migration stream, to the end of the file

The length of the whole stands in the head, which is written last: an image that was cut off, or
whose writer died, says so. (A QEMU that reads an empty stream waits for ever.)
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, cast

import attrs

from pyvirt_trio.errors import ErrorCode, HostError
from pyvirt_trio.models.value import Value

FORMAT = "pyvirt-save"
VERSION = 1
"""Raised when an older library could misread a new image; keys may be added without that."""

ALIGNMENT = 4096
MAX_HEAD_BYTES = 2 << 20
"""A definition has 1 MiB at most (`xml.parser.MAX_DOCUMENT_BYTES`), and its line is short."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Head(Value):
    """What an image says of itself.

    Args:
        xml: The definition of the machine.
        was_running: Whether its processors ran before it was saved.
        file_bytes: Length of the image; 0 while it is being written.
    """

    xml: str
    was_running: bool
    file_bytes: int = 0

    def encode(self) -> bytes:
        """The head as it stands in the file; its length depends on ``xml`` alone."""
        xml = self.xml.encode()
        line = json.dumps(
            {
                "format": FORMAT,
                "version": VERSION,
                "file_bytes": f"{self.file_bytes:020}",  # as long before as after
                "was_running": int(self.was_running),
                "xml_bytes": len(xml),
                "xml_sha256": hashlib.sha256(xml).hexdigest(),
            }
        )
        head = line.encode() + b"\n" + xml
        return head + b"\n" * (-len(head) % ALIGNMENT)


def decode(data: bytes, size: int, name: str) -> tuple[Head, int]:
    """The head of an image, and where the stream of QEMU begins.

    Args:
        data: The image, or at least its first `MAX_HEAD_BYTES`.
        size: Its length.
        name: What it is called, for errors.

    Raises:
        HostError: (9) It is none, is damaged, or is not complete.
    """
    line, newline, rest = data.partition(b"\n")
    fields = _fields(line) if newline else None
    if fields is None:
        raise _refused("image magic is incorrect")  # libvirt's words for what is no saved domain
    if fields.get("version") != VERSION:
        raise _refused(f"'{name}' has version {fields.get('version')}, expected {VERSION}")
    head = _head(fields, rest)
    if head is None or head.encode() != data[: len(head.encode())]:
        raise _refused(f"'{name}' is damaged")
    if not head.file_bytes:
        raise _refused(f"'{name}' is incomplete: it was never finished")
    if head.file_bytes != size:
        raise _refused(f"'{name}' is damaged: it has {size} bytes, not {head.file_bytes}")
    return head, len(head.encode())


def _fields(line: bytes) -> dict[str, Any] | None:
    try:
        found: object = json.loads(line)
    except (ValueError, RecursionError):
        return None
    fields = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    return fields if fields.get("format") == FORMAT else None


def _head(fields: dict[str, Any], rest: bytes) -> Head | None:
    """The head that the fields of its line describe, unless they make no sense."""
    try:
        return Head(
            xml=rest[: int(fields["xml_bytes"])].decode(),
            was_running=bool(fields["was_running"]),
            file_bytes=int(fields["file_bytes"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _refused(message: str) -> HostError:
    return HostError(message, code=ErrorCode.OPERATION_FAILED)
