"""A file system in memory, with the errors of a Linux one.

A `Folder` is either a plain dictionary of nodes or computed when it is looked into, as sysfs is. A
path is resolved name by name, links are followed, and what goes wrong on the way raises the
``OSError`` that Linux would give.
"""

from __future__ import annotations

import errno
import os
import posixpath
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import TypeAlias

import attrs

MAX_LINKS = 40
"""Links followed in one look-up before ``ELOOP``, as in Linux (``MAXSYMLINKS``)."""


@attrs.define(eq=False)
class File:
    """A regular file."""

    text: str = ""


@attrs.frozen(eq=False)
class Attribute:
    """A file whose contents are made when it is read, as in sysfs.

    Args:
        read: Gives the text; ``None`` when it cannot be read.
        write: Does what writing does; ``None`` when it cannot be written.
    """

    read: Callable[[], str] | None = None
    write: Callable[[str], Awaitable[None]] | None = None


@attrs.frozen(eq=False)
class Link:
    """A symbolic link."""

    target: str


@attrs.frozen(eq=False)
class Special:
    """Something that is there and is neither read nor written here: a socket, a device node."""

    what: object = None


Node: TypeAlias = "File | Attribute | Link | Special | Folder"


@attrs.frozen(eq=False)
class Folder:
    """A directory; ``entries`` is asked anew at every look."""

    entries: Callable[[], MutableMapping[str, Node]]

    @classmethod
    def plain(cls) -> Folder:
        """An empty directory that keeps what is put into it."""
        kept: dict[str, Node] = {}
        return cls(lambda: kept)


def failure(number: int, path: str) -> OSError:
    """The ``OSError`` (or its subclass) for an errno."""
    return OSError(number, os.strerror(number), path)


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
            found = node.entries().get(name)
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

    def read(self, path: str) -> str:
        """The text of a file or attribute.

        Raises:
            OSError: It is a directory, cannot be read, or is not there.
        """
        node = self.look_up(path)
        if isinstance(node, File):
            return node.text
        if isinstance(node, Attribute) and node.read is not None:
            return node.read()
        raise failure(errno.EISDIR if isinstance(node, Folder) else errno.EACCES, path)

    def put(self, path: str, node: Node) -> None:
        """Put ``node`` in the place of ``path``, replacing a file.

        Raises:
            OSError: The directory is not there, or ``path`` is a directory.
        """
        parent, name = posixpath.split(path)
        entries = self.folder(parent).entries()
        if isinstance(entries.get(name), Folder):
            raise failure(errno.EISDIR, path)
        entries[name] = node

    def remove(self, path: str) -> None:
        """Take a file, link or socket away.

        Raises:
            OSError: It is not there, or is a directory.
        """
        if isinstance(self.look_up(path, follow=False), Folder):
            raise failure(errno.EISDIR, path)
        parent, name = posixpath.split(path)
        del self.folder(parent).entries()[name]

    def make_directory(self, path: str) -> Folder:
        """The directory at ``path``, made together with its parents where it is missing.

        Raises:
            OSError: Something else is there.
        """
        node = self.root
        for prefix in _prefixes(path):
            entries = node.entries()
            name = posixpath.basename(prefix)
            found = entries.setdefault(name, Folder.plain())
            if not isinstance(found, Folder):
                raise failure(errno.EEXIST if prefix == path else errno.ENOTDIR, path)
            node = found
        return node


def _names(path: str) -> list[str]:
    if not path.startswith("/"):
        raise failure(errno.EINVAL, path)
    return [name for name in path.split("/") if name not in ("", ".")]


def _prefixes(path: str) -> Iterator[str]:
    prefix = ""
    for name in _names(path):
        prefix = f"{prefix}/{name}"
        yield prefix
