"""A mounted file system and the files a program has open, with the errors of Linux."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from types import TracebackType

from pyvirt_sim.engine.disk.inodes import Change, Directory, File, Inode, Piece

__all__ = ["FileSystem", "OpenFile"]


def _failure(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)


def _holds(inode: Inode, directory: Directory) -> bool:
    """Whether ``directory`` is ``inode`` or anywhere below it."""
    return inode is directory or (
        isinstance(inode, Directory) and any(below is directory for _, below in inode.walk())
    )


class FileSystem:
    """What a running system sees of a disk. Paths are absolute. Made by ``Disk.mount``.

    Every method raises ``OSError`` with the errno Linux gives, and ``ESTALE`` after the crash.

    Attributes:
        is_dead: the machine has crashed or unmounted it.
    """

    def __init__(self, root: Directory, block_bytes: int, numbers: Iterator[int]) -> None:
        self._root = root
        self._block_bytes = block_bytes
        self._changes = 0
        self._numbers = numbers
        self._locks: dict[File, dict[OpenFile, bool]] = {}
        self.is_dead = False
        # In the order they were first changed; the medium asks for them at a crash.
        self.dirty: dict[Inode, None] = {}

    # -- files ------------------------------------------------------------------------------------

    def open(
        self, path: str, *, create: bool = False, exclusive: bool = False, truncate: bool = False
    ) -> OpenFile:
        """Return the file at ``path``, open for reading and writing.

        Args:
            path: where it is.
            create: make it, empty, where it is missing (``O_CREAT``).
            exclusive: with ``create``, refuse one that exists (``O_EXCL``).
            truncate: make it empty (``O_TRUNC``).

        Raises:
            OSError: ``ENOENT``, ``ENOTDIR``, ``EISDIR``, ``EEXIST``.
        """
        parent, name = self._parent(path)
        inode = parent.entries.get(name)
        if isinstance(inode, Directory):
            raise _failure(errno.EEXIST if create and exclusive else errno.EISDIR, path)
        if inode is None:
            if not create:
                raise _failure(errno.ENOENT, path)
            inode = File(path, next(self._numbers))
            self._change((parent, name, inode))
        elif create and exclusive:
            raise _failure(errno.EEXIST, path)
        opened = OpenFile(self, inode, path)
        if truncate:
            opened.truncate(0)
        return opened

    def read(self, path: str) -> bytes:
        """Return the whole contents of a file."""
        with self.open(path) as file:
            return file.read()

    def write(self, path: str, data: bytes) -> None:
        """Make ``data`` the contents of a file, created if need be. Nothing is synced."""
        with self.open(path, create=True, truncate=True) as file:
            file.append(data)

    def append(self, path: str, data: bytes) -> None:
        """Add ``data`` at the end of a file, created if need be. Nothing is synced."""
        with self.open(path, create=True) as file:
            file.append(data)

    def unlink(self, path: str) -> None:
        """Remove the entry of a file; who has it open keeps it.

        Raises:
            OSError: ``ENOENT``, ``ENOTDIR``; ``EISDIR`` for a directory.
        """
        parent, name = self._parent(path)
        if isinstance(self._existing(parent, name, path), Directory):
            raise _failure(errno.EISDIR, path)
        self._change((parent, name, None))

    def rename(self, old: str, new: str) -> None:
        """Give what is at ``old`` the name ``new``, in one step; what was there is gone.

        Raises:
            OSError: ``ENOENT``, ``ENOTDIR``, ``EISDIR``, ``ENOTEMPTY``; ``EINVAL`` when a directory
                would get into itself.
        """
        source, old_name = self._parent(old)
        target, new_name = self._parent(new)
        inode = self._existing(source, old_name, old)
        replaced = target.entries.get(new_name)
        if inode is replaced:
            return
        # These two come before any look at the kinds, as in Linux's lock_rename().
        if _holds(inode, target):
            raise _failure(errno.EINVAL, new)
        if replaced is not None and _holds(replaced, source):
            raise _failure(errno.ENOTEMPTY, new)
        if isinstance(inode, Directory):
            if isinstance(replaced, File):
                raise _failure(errno.ENOTDIR, new)
            if replaced is not None and replaced.entries:
                raise _failure(errno.ENOTEMPTY, new)
        elif isinstance(replaced, Directory):
            raise _failure(errno.EISDIR, new)
        self._change((source, old_name, None), (target, new_name, inode))

    # -- directories ------------------------------------------------------------------------------

    def make_directory(self, path: str, *, parents: bool = False) -> None:
        """Create a directory.

        Args:
            path: where.
            parents: also create those above it, and accept one that exists.

        Raises:
            OSError: ``EEXIST``, ``ENOENT``, ``ENOTDIR``.
        """
        names = self._names(path)
        if not parents:
            names = names[-1:]
        elif not names:
            return
        directory = self._root if parents else self._parent(path)[0]
        for place, name in enumerate(names, start=1):
            found = directory.entries.get(name)
            if found is None:
                found = Directory(
                    "/" + "/".join(names[:place]) if parents else path, next(self._numbers)
                )
                self._change((directory, name, found))
            elif not parents or (isinstance(found, File) and place == len(names)):
                raise _failure(errno.EEXIST, path)
            if not isinstance(found, Directory):
                raise _failure(errno.ENOTDIR, path)
            directory = found

    def remove_directory(self, path: str) -> None:
        """Remove an empty directory.

        Raises:
            OSError: ``ENOENT``, ``ENOTDIR``, ``ENOTEMPTY``.
        """
        parent, name = self._parent(path)
        found = self._existing(parent, name, path)
        if isinstance(found, File):
            raise _failure(errno.ENOTDIR, path)
        if found.entries:
            raise _failure(errno.ENOTEMPTY, path)
        self._change((parent, name, None))

    def list_directory(self, path: str) -> list[str]:
        """Return the names in a directory, sorted."""
        found = self._find(path)
        if isinstance(found, File):
            raise _failure(errno.ENOTDIR, path)
        return sorted(found.entries)

    def exists(self, path: str) -> bool:
        """Whether ``path`` names anything."""
        try:
            self._find(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def is_directory(self, path: str) -> bool:
        """Whether ``path`` names a directory."""
        return self.exists(path) and isinstance(self._find(path), Directory)

    def is_file(self, path: str) -> bool:
        """Whether ``path`` names a file."""
        return self.exists(path) and isinstance(self._find(path), File)

    def file_number(self, path: str) -> int:
        """Return what tells a file from every other, as ``st_ino`` does, whatever its name."""
        return self._find(path).number

    # -- durability -------------------------------------------------------------------------------

    def sync(self, path: str) -> None:
        """Do ``fsync`` on the file or directory at ``path``."""
        self._sync(self._find(path))

    def sync_all(self) -> None:
        """Do ``sync``: everything is durable."""
        self._require_alive("/")
        for inode in list(self.dirty):
            self._sync(inode)

    # -- for OpenFile -----------------------------------------------------------------------------

    def do(self, file: File, piece: Piece) -> None:
        """Carry out one piece of a write."""
        self.dirty[file] = None
        file.do(piece)

    def cut(self, offset: int, data: bytes) -> list[Piece]:
        """Return a write as pieces that lie within one block each."""
        pieces: list[Piece] = []
        begin = 0
        while begin < len(data):
            end = begin + self._block_bytes - (offset + begin) % self._block_bytes
            pieces.append(Piece(offset + begin, data[begin:end]))
            begin = end
        return pieces

    def lock(self, file: File, holder: OpenFile, *, shared: bool) -> bool:
        """Give ``holder`` the lock of a file, if nobody's excludes it."""
        locks = self._locks.setdefault(file, {})
        if any(not (shared and other) for owner, other in locks.items() if owner is not holder):
            return False
        locks[holder] = shared
        return True

    def unlock(self, file: File, holder: OpenFile) -> None:
        """Take the lock of ``holder`` away, if it has one."""
        locks = self._locks.get(file, {})
        if locks.pop(holder, None) is not None and not locks:
            del self._locks[file]

    def sync_file(self, file: File) -> None:
        """Make a file durable."""
        self._sync(file)

    # -- inside -----------------------------------------------------------------------------------

    def _require_alive(self, path: str) -> None:
        if self.is_dead:
            raise _failure(errno.ESTALE, path)

    def _names(self, path: str) -> list[str]:
        self._require_alive(path)
        names = [name for name in path.split("/") if name not in ("", ".")]
        if not path.startswith("/") or ".." in names:
            raise _failure(errno.EINVAL, path)
        return names

    def _find(self, path: str) -> Inode:
        inode: Inode = self._root
        for name in self._names(path):
            if isinstance(inode, File):
                raise _failure(errno.ENOTDIR, path)
            inode = self._existing(inode, name, path)
        return inode

    def _parent(self, path: str) -> tuple[Directory, str]:
        names = self._names(path)
        if not names:
            raise _failure(errno.EISDIR, path)
        inode: Inode = self._root
        for name in names[:-1]:
            inode = self._existing(inode, name, path)
            if isinstance(inode, File):
                raise _failure(errno.ENOTDIR, path)
        assert isinstance(inode, Directory)
        return inode, names[-1]

    def _existing(self, parent: Inode, name: str, path: str) -> Inode:
        if isinstance(parent, File):
            raise _failure(errno.ENOTDIR, path)
        found = parent.entries.get(name)
        if found is None:
            raise _failure(errno.ENOENT, path)
        return found

    def _change(self, *edits: tuple[Directory, str, Inode | None]) -> None:
        self._changes += 1
        change = Change(self._changes, edits)
        for directory in change.directories:
            self.dirty[directory] = None
        change.do()

    def _sync(self, inode: Inode) -> None:
        inode.sync()
        self.dirty.pop(inode, None)


class OpenFile:
    """A file that a program has open: it stays the same file when it is renamed or removed."""

    def __init__(self, system: FileSystem, file: File, path: str) -> None:
        self._system = system
        self._file = file
        self._path = path
        self._is_closed = False

    @property
    def size(self) -> int:
        """Length in bytes."""
        self._require_usable()
        return len(self._file.data)

    def read(self, offset: int = 0, size: int | None = None) -> bytes:
        """Return up to ``size`` bytes from ``offset`` on; all when None, ``b""`` at the end."""
        self._require_usable()
        end = None if size is None else offset + size
        return bytes(self._file.data[offset:end])

    def write(self, offset: int, data: bytes) -> None:
        """Write ``data`` at ``offset``; a gap before it reads as zeros."""
        self._require_usable()
        if offset < 0:
            raise _failure(errno.EINVAL, self._path)
        for piece in self._system.cut(offset, data):
            self._system.do(self._file, piece)

    def append(self, data: bytes) -> None:
        """Write ``data`` at the end."""
        self.write(self.size, data)

    def truncate(self, size: int) -> None:
        """Make the file ``size`` bytes long; what is new reads as zeros."""
        self._require_usable()
        if size < 0:
            raise _failure(errno.EINVAL, self._path)
        if size != len(self._file.data):
            self._system.do(self._file, Piece(size, None))

    def sync(self) -> None:
        """Do ``fsync``: contents and size are durable; the entry that names the file is not."""
        self._require_usable()
        self._system.sync_file(self._file)

    def lock(self, *, shared: bool = False) -> None:
        """Do ``flock`` without waiting; an open file has one lock, which this replaces.

        Raises:
            BlockingIOError: another open file holds a lock that this one excludes.
        """
        self._require_usable()
        if not self._system.lock(self._file, self, shared=shared):
            raise _failure(errno.EAGAIN, self._path)

    def unlock(self) -> None:
        """Give the lock back, if there is one."""
        self._require_usable()
        self._system.unlock(self._file, self)

    def close(self) -> None:
        """Close it and give its lock back; nothing is synced. Closing twice does nothing."""
        if not self._is_closed:
            self._is_closed = True
            self._system.unlock(self._file, self)

    def __enter__(self) -> OpenFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _require_usable(self) -> None:
        if self._is_closed:
            raise _failure(errno.EBADF, self._path)
        if self._system.is_dead:
            raise _failure(errno.ESTALE, self._path)
