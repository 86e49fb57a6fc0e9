"""Writes an initramfs: a cpio archive in the "newc" form that the Linux kernel unpacks at boot.

The form is described in the kernel's Documentation/driver-api/early-userspace/buffer-format.rst:
each member is a header of ASCII hex fields, its name and its data, each padded to four bytes. The
archive is the same bytes for the same members, so its digest can name it.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable

import attrs

_TRAILER = "TRAILER!!!"


@attrs.frozen
class Member:
    """One file, folder, link or device node of the archive.

    Args:
        name: Path without a leading slash.
        mode: Type and permission bits, as in ``os.stat``.
        data: Contents of a file, target of a link.
        device: Major and minor number of a device node.
    """

    name: str
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


def folder(name: str) -> Member:
    """Return a folder that everyone may read."""
    return Member(name, stat.S_IFDIR | 0o755)


def executable(name: str, data: bytes) -> Member:
    """Return a file that everyone may run."""
    return Member(name, stat.S_IFREG | 0o755, data)


def character_device(name: str, major: int, minor: int) -> Member:
    """Return the node of a character device that only root may use."""
    return Member(name, stat.S_IFCHR | 0o600, device=(major, minor))


def newc_archive(members: Iterable[Member]) -> bytes:
    """Return the archive of these members, in their order (folders before what is in them)."""
    archive = bytearray()
    inode = 0
    for inode, member in enumerate(members, start=1):
        archive += _record(member, inode)
    archive += _record(Member(_TRAILER, 0), inode + 1)
    return bytes(archive)


def _record(member: Member, inode: int) -> bytes:
    name = member.name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(member.mode) else 1
    # inode, mode, uid, gid, links, mtime, size, device of the archive (2), device node (2),
    # length of the name with its zero byte, checksum (zero in this form)
    fields = (
        *(inode, member.mode, 0, 0, links, 0, len(member.data), 0, 0),
        *(*member.device, len(name), 0),
    )
    header = b"070701" + b"".join(b"%08x" % field for field in fields)
    return _padded(header + name) + _padded(member.data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
