"""The head of a qcow2 image, the only part of any image that is looked at."""

from __future__ import annotations

import struct
from typing import Final

import attrs

_MAGIC: Final = b"QFI\xfb"
_HEAD: Final = struct.Struct(">4sIQIIQ")


@attrs.frozen
class ImageHead:
    """What the head of an image says.

    Args:
        size_bytes: How much a guest sees.
        backing: The name of the image behind it, empty without one.
    """

    size_bytes: int
    backing: str = ""

    def encode(self) -> bytes:
        """A file that begins like such an image, and ends after its head."""
        name = self.backing.encode()
        at = _HEAD.size if name else 0
        return _HEAD.pack(_MAGIC, 2, at, len(name), 16, self.size_bytes) + name


def read_head(data: bytes) -> ImageHead | None:
    """The head of a file with these contents, ``None`` when it is no qcow2 image."""
    if len(data) < _HEAD.size or not data.startswith(_MAGIC):
        return None
    _magic, _version, at, length, _cluster_bits, size_bytes = _HEAD.unpack_from(data)
    return ImageHead(size_bytes, data[at : at + length].decode(errors="replace") if at else "")
