"""Files and directories: what a running system sees of them, and what the medium has of them.

Both kinds keep the two views side by side, with the list of what separates them: pieces that were
written and not synced, entries that were changed and not synced.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import attrs

__all__ = ["Change", "Directory", "File", "Inode", "Piece"]


@attrs.frozen
class Piece:
    """The smallest part of a write that arrives as a whole: it lies within one block.

    Attributes:
        offset: where it begins; for a change of size, the new size.
        data: what is written; None for a change of size.
    """

    offset: int
    data: bytes | None


@attrs.define(eq=False)
class File:
    """A regular file; ``label`` is the path it was made at, ``number`` tells it from others."""

    label: str
    number: int
    data: bytearray = attrs.Factory(bytearray)
    durable: bytes = b""
    pending: list[Piece] = attrs.Factory(list[Piece])

    def do(self, piece: Piece) -> None:
        """Make a piece visible to the running system."""
        apply(self.data, piece)
        self.pending.append(piece)

    def sync(self) -> None:
        """Make contents and size durable; not the entry that names the file."""
        self.durable = bytes(self.data)
        self.pending.clear()

    def settle(self, lost: range) -> None:
        """Make durable all pending pieces but those numbered in ``lost``; the others never were."""
        data = bytearray(self.durable)
        for number, piece in enumerate(self.pending):
            if number not in lost:
                apply(data, piece)
        self.data = data
        self.sync()


@attrs.define(eq=False)
class Directory:
    """A directory; ``label`` is the path it was made at, ``number`` tells it from others."""

    label: str
    number: int
    entries: dict[str, Inode] = attrs.Factory(dict[str, "Inode"])
    durable: dict[str, Inode] = attrs.Factory(dict[str, "Inode"])
    pending: list[Change] = attrs.Factory(list["Change"])

    def sync(self) -> None:
        """Make the entries durable; not the contents of what they name."""
        while self.pending:
            self.pending[0].commit()

    def settle(self) -> None:
        """See what the medium has."""
        self.pending.clear()
        self.entries = dict(self.durable)

    def walk(self, path: str = "") -> Iterator[tuple[str, Inode]]:
        """All that is below, with its path; the names of one directory in order."""
        for name in sorted(self.entries):
            inode = self.entries[name]
            yield f"{path}/{name}", inode
            if isinstance(inode, Directory):
                yield from inode.walk(f"{path}/{name}")


Inode: TypeAlias = "File | Directory"


@attrs.define(eq=False)
class Change:
    """One operation on entries: they all reach the medium or none does, as in one transaction.

    Attributes:
        number: changes are numbered in the order they were made.
        edits: directory, name, and what the name means from now on (None: nothing).
    """

    number: int
    edits: tuple[tuple[Directory, str, Inode | None], ...]

    @property
    def directories(self) -> dict[Directory, None]:
        """The directories that are changed, each once."""
        return dict.fromkeys(directory for directory, _, _ in self.edits)

    def do(self) -> None:
        """Make it visible to the running system."""
        for directory in self.directories:
            directory.pending.append(self)
        self._edit(durably=False)

    def commit(self) -> None:
        """Make it durable, after all that was done before it in any directory it changes."""
        for directory in self.directories:
            while directory.pending[0] is not self:
                directory.pending[0].commit()
        self.keep()
        for directory in self.directories:
            del directory.pending[0]

    def keep(self) -> None:
        """Write it to the medium."""
        self._edit(durably=True)

    def _edit(self, *, durably: bool) -> None:
        for directory, name, inode in self.edits:
            entries = directory.durable if durably else directory.entries
            if inode is None:
                entries.pop(name, None)
            else:
                entries[name] = inode


def apply(data: bytearray, piece: Piece) -> None:
    """Change ``data`` as a piece says; what lies between its old end and the piece is zero."""
    end = piece.offset if piece.data is None else max(len(data), piece.offset)
    if end > len(data):
        data.extend(bytes(end - len(data)))
    if piece.data is None:
        del data[end:]
    else:
        data[piece.offset : piece.offset + len(piece.data)] = piece.data
