"""The kernel's own files in memory: sysfs, procfs and /dev, with the errors of Linux.

A `Folder` either keeps its nodes or makes them when it is looked into, as sysfs does. A path is
resolved name by name, links are followed, and what goes wrong on the way raises the ``OSError``
that Linux would give.
"""

from __future__ import annotations

import errno
import functools
import os
import posixpath
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

import attrs

MAX_LINKS = 40
"""Links followed in one look-up before ``ELOOP``, as in Linux (``MAXSYMLINKS``)."""


@attrs.frozen(eq=False)
class Attribute:
    """A file whose contents are made when it is read, as in sysfs.

    Args:
        read: Gives the text; ``None`` when it cannot be read.
        write: Does what writing does; ``None`` when it cannot be written.
        ready: Waits until it can be read; ``None`` when it always can.
    """

    read: Callable[[], str] | None = None
    write: Callable[[str], Awaitable[None]] | None = None
    ready: Callable[[], Awaitable[None]] | None = None


@attrs.frozen(eq=False)
class Link:
    """A symbolic link."""

    target: str


@attrs.frozen(eq=False)
class Special:
    """Something that is there and is neither read nor written here: a device node."""


Node: TypeAlias = "Attribute | Link | Special | Folder"


@attrs.frozen(eq=False)
class Folder:
    """A directory, asked anew at every look.

    Args:
        find: What a name in it means; ``None`` when there is no such name.
        names: The names in it; ``None`` when a list of it is not modelled.
        kept: What is in it, when that is simply kept.
    """

    find: Callable[[str], Node | None]
    names: Callable[[], Iterable[str]] | None
    kept: dict[str, Node] | None = None

    @classmethod
    def plain(cls, entries: Mapping[str, Node] | None = None) -> Folder:
        """A directory that keeps what is put into it."""
        kept = dict(entries or {})
        return cls(kept.get, lambda: kept, kept)


def failure(number: int, path: str) -> OSError:
    """The ``OSError`` (or its subclass) for an errno."""
    return OSError(number, os.strerror(number), path)


def decoded(data: bytes, path: str) -> str:
    """What is in a file, as the seam gives it: a text, or ``EILSEQ``."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise failure(errno.EILSEQ, path) from error


class Tree:
    """The root directory and the ways into it. Nothing here takes time."""

    def __init__(self) -> None:
        self.root = Folder.plain()

    def look_up(self, path: str, *, follow: bool = True) -> Node:
        """The node at ``path``.

        Args:
            path: An absolute path.
            follow: Whether a link in the last place is followed.

        Raises:
            OSError: ``ENOENT``, ``ENOTDIR`` or ``ELOOP``.
        """
        node: Node = self.root
        pending = list(reversed(_names(path)))
        here: list[str] = []
        links = 0
        while pending:
            if not isinstance(node, Folder):
                raise failure(errno.ENOTDIR, path)
            name = pending.pop()
            found = node.find(name)
            if found is None:
                raise failure(errno.ENOENT, path)
            if isinstance(found, Link) and (pending or follow):
                links += 1
                if links > MAX_LINKS:
                    raise failure(errno.ELOOP, path)
                target = posixpath.normpath(posixpath.join("/", *here, found.target))
                pending.extend(reversed(_names(target)))
                node, here = self.root, []
            else:
                node = found
                here.append(name)
        return node

    def folder(self, path: str) -> Folder:
        """The directory at ``path``.

        Raises:
            OSError: There is none.
        """
        node = self.look_up(path)
        if not isinstance(node, Folder):
            raise failure(errno.ENOTDIR, path)
        return node

    def exists(self, path: str) -> bool:
        """Whether ``path``, links followed, names anything."""
        try:
            self.look_up(path)
        except OSError:
            return False
        return True

    def mount(self, path: str, node: Node) -> None:
        """Put a node there, with the directories above it."""
        parent, name = posixpath.split(path)
        kept = self.make_directory(parent).kept
        assert kept is not None, f"{parent} is a directory that the kernel makes"
        kept[name] = node

    def make_directory(self, path: str) -> Folder:
        """The directory at ``path``, made together with its parents where it is missing.

        Raises:
            OSError: Something else is there.
        """
        node = self.root
        for prefix in _prefixes(path):
            assert node.kept is not None, f"{prefix} is in a directory that the kernel makes"
            found = node.kept.setdefault(posixpath.basename(prefix), Folder.plain())
            if not isinstance(found, Folder):
                raise failure(errno.EEXIST if prefix == path else errno.ENOTDIR, path)
            node = found
        return node


@functools.lru_cache(maxsize=4096)  # the same few paths are walked in every run
def _names(path: str) -> tuple[str, ...]:
    if not path.startswith("/"):
        raise failure(errno.EINVAL, path)
    return tuple(name for name in path.split("/") if name not in ("", "."))


def _prefixes(path: str) -> Iterator[str]:
    prefix = ""
    for name in _names(path):
        prefix = f"{prefix}/{name}"
        yield prefix
