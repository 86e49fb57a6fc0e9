"""The medium: what it has after a crash.

The rules, which are those that Linux documents (``fsync(2)``) and its journaled file systems keep:

1. ``sync`` of a file makes its contents and size durable, and says nothing of the entry naming it.
2. ``sync`` of a directory makes its entries durable, and says nothing of the contents they name.
3. Of the pieces (blocks) written to a file and not synced, a run of neighbours may be missing: at
   the end (the file is cut), in the middle (a hole: the old contents, or zeros beyond the old end),
   or all of them, so that a file renamed into place without a sync may be empty. A change of size
   is missing only together with all that came after it.
4. Changes of one directory reach the medium in their order: some last ones may be missing. Those of
   different directories are independent. A rename is never seen half done, in two directories
   either, and nothing that came before it in either is missing when it is there.

Everything at 3 and 4 is drawn from the stream ``faults``, and 0, the canonical answer, is that all
that was written survives: the crash that hides every missing sync. Age does not help: the model has
no write-back after thirty seconds. Nor has it the favours that one file system does and another
does not (ext4 writes a file out before it is renamed over another; syncing one file there makes the
changes of every directory durable).

Not modelled: failing syncs, full disks, hard and symbolic links, permissions, a medium that forgets
what it said it had.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from pyvirt_sim.engine.disk.files import FileSystem
from pyvirt_sim.engine.disk.inodes import Change, Directory, File, Inode, Piece
from pyvirt_sim.engine.run import current_run, draw

__all__ = ["Disk"]

PAGE_BYTES = 4096
"""The block of Linux file systems and the page of its cache."""


class Disk:
    """A medium that outlives crashes.

    Args:
        name: what notes and draws call it.
        block_bytes: where a write may tear; 512 for a disk that tears at sectors.
    """

    def __init__(self, name: str = "disk", *, block_bytes: int = PAGE_BYTES) -> None:
        if block_bytes < 1:
            raise ValueError(f"{name}: a block has at least 1 byte, not {block_bytes}")
        self.name = name
        self.block_bytes = block_bytes
        self._root = Directory("/", 0)
        # Of files and directories; never used again, over all the lives of the disk.
        self._numbers = itertools.count(1)
        self._mounted: FileSystem | None = None

    def mount(self) -> FileSystem:
        """Return the file system, as a machine does when it boots.

        Raises:
            RuntimeError: it is mounted; two machines cannot share a disk.
        """
        if self._mounted is not None:
            raise RuntimeError(f"{self.name} is mounted")
        self._mounted = FileSystem(self._root, self.block_bytes, self._numbers)
        return self._mounted

    def unmount(self) -> None:
        """Sync everything and end the file system, as an orderly shutdown does."""
        if self._mounted is not None:
            self._mounted.sync_all()
            self._end()

    def crash(self) -> None:
        """Lose power: decide what was not synced and is there nevertheless.

        The file system that was mounted, and all that was opened through it, is dead: it raises
        ``OSError`` (``ESTALE``), so that nothing a dead machine still does reaches the medium.
        Does nothing when none is mounted.
        """
        if self._mounted is None:
            return
        dirty = self._mounted.dirty
        self._end()
        self._settle_directories([i for i in dirty if isinstance(i, Directory)])
        torn: list[str] = []
        for path, inode in self._root.walk():
            if isinstance(inode, File) and inode.pending:
                lost = self._lost_pieces(path, inode.pending)
                inode.settle(lost)
                if lost:
                    torn.append(path)
        run = current_run()
        if run is not None:
            run.note(self.name, "crashes", {"torn": torn}, is_own=True)

    def contents(self) -> dict[str, bytes | None]:
        """Every path and the bytes of the file there, None for a directory; for tests."""
        return {
            path: bytes(inode.data) if isinstance(inode, File) else None
            for path, inode in self._root.walk()
        }

    def _end(self) -> None:
        if self._mounted is not None:
            self._mounted.is_dead = True
            self._mounted = None

    def _settle_directories(self, dirty: list[Directory]) -> None:
        """Keep of each directory's changes a first part, drawn; cut off what depends on more."""
        kept: dict[Directory, int] = {}
        for directory in dirty:
            count = len(directory.pending)
            label = f"{self.name}: changes lost in {directory.label}"
            kept[directory] = count - (draw("faults", label, count + 1) if count else 0)
        stopped: dict[Directory, None] = {}
        for change in _in_order(dirty):
            touched = change.directories
            is_lost = any(d in stopped or kept[d] == 0 for d in touched)
            if is_lost:
                stopped.update(touched)
            else:
                change.keep()
            for directory in touched:
                kept[directory] -= 1
        for directory in _all_directories(self._root):
            directory.settle()

    def _lost_pieces(self, path: str, pieces: list[Piece]) -> range:
        count = len(pieces)
        lost = draw("faults", f"{self.name}: pieces lost of {path}", count + 1)
        if not lost:
            return range(0)
        # 0 loses the last ones, so that the simplest torn file is one that was cut.
        before_end = draw("faults", f"{self.name}: pieces kept after the hole", count - lost + 1)
        hole = range(count - lost - before_end, count - before_end)
        has_size = any(pieces[number].data is None for number in hole)
        return range(hole.start, count) if has_size else hole


def _in_order(directories: list[Directory]) -> list[Change]:
    """Every pending change of these directories once, oldest first."""
    changes = {change.number: change for d in directories for change in d.pending}
    return [changes[number] for number in sorted(changes)]


def _all_directories(root: Directory) -> Iterator[Directory]:
    """Those that the medium still names, found by what is durable."""
    pending: list[Inode] = [root]
    while pending:
        inode = pending.pop()
        if isinstance(inode, Directory):
            pending.extend(inode.durable.values())
            yield inode
