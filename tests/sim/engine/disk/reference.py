"""What a disk may have after a crash, by brute force from the rules: slow, and hard to get wrong.

Every subset of the changes is tried against the rules; nothing is shared with the disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations, product

import attrs

from tests.sim.engine.disk.programs import BLOCK_BYTES, DIRECTORIES, Op

State = frozenset[tuple[str, bytes | None]]


@attrs.frozen
class Edit:
    """A change of one entry: ``what`` is the number of the object it names from then on."""

    directory: int
    name: str
    what: int | None


@attrs.define
class Object:
    """A file (``writes`` since its last sync, on top of ``synced``) or a directory."""

    is_directory: bool
    synced: bytes = b""
    writes: list[tuple[int, bytes | None]] = attrs.Factory(list)


@attrs.define
class Reference:
    """The history of one program on a disk that has `DIRECTORIES`, durably."""

    objects: list[Object] = attrs.Factory(list)
    changes: list[tuple[Edit, ...]] = attrs.Factory(list)
    forced: set[int] = attrs.Factory(set)

    def __attrs_post_init__(self) -> None:
        self.objects.append(Object(is_directory=True))
        for path in DIRECTORIES:
            self.do(Op("mkdir", path))
        self.forced = set(range(len(self.changes)))

    def do(self, op: Op) -> None:
        """Carry out an operation that succeeds."""
        match op.name:
            case "append" | "write":
                found = self.find(op.path)
                if found is None:
                    found = self._make(op.path, is_directory=False)
                if op.name == "write" and self._now(found):
                    self.objects[found].writes.append((0, None))
                self._write(found, len(self._now(found)), op.data)
            case "overwrite":
                found = self.find(op.path)
                assert found is not None
                self._write(found, op.number, op.data)
            case "truncate":
                found = self.find(op.path)
                assert found is not None
                if len(self._now(found)) != op.number:
                    self.objects[found].writes.append((op.number, None))
            case "sync":
                found = self.find(op.path)
                assert found is not None
                self._sync(found)
            case "rename":
                what = self.find(op.path)
                if what != self.find(op.other):
                    self.changes.append(
                        (self._edit(op.path, None), self._edit(op.other, what)),
                    )
            case "unlink" | "rmdir":
                self.changes.append((self._edit(op.path, None),))
            case "mkdir":
                self._make(op.path, is_directory=True)

    def find(self, path: str) -> int | None:
        """The object that a path names now."""
        return self._tree(range(len(self.changes))).get(path)

    def states(self) -> set[State]:
        """Everything the disk may have after a crash."""
        found: set[State] = set()
        count = len(self.changes)
        free = [n for n in range(count) if n not in self.forced]
        for kept in chain.from_iterable(combinations(free, k) for k in range(len(free) + 1)):
            present = self.forced | set(kept)
            if self._is_in_order(present):
                found.update(self._contents(sorted(present)))
        return found

    # -- inside -----------------------------------------------------------------------------------

    def _is_in_order(self, present: set[int]) -> bool:
        """Whether no change is missing while a later one of the same directory is there."""
        for late in present:
            for early in range(late):
                if early not in present and self._directories(early) & self._directories(late):
                    return False
        return True

    def _directories(self, change: int) -> set[int]:
        return {edit.directory for edit in self.changes[change]}

    def _sync(self, what: int) -> None:
        item = self.objects[what]
        if not item.is_directory:
            item.synced, item.writes = self._now(what), []
            return
        wanted = {n for n in range(len(self.changes)) if what in self._directories(n)}
        while True:  # with each change, all earlier ones of the directories it touches
            more = {
                early
                for late in wanted
                for early in range(late)
                if self._directories(early) & self._directories(late)
            }
            if more <= wanted:
                break
            wanted |= more
        self.forced |= wanted

    def _contents(self, present: list[int]) -> Iterator[State]:
        tree = self._tree(present)
        paths = sorted(tree)
        options = [self._versions(self.objects[tree[path]]) for path in paths]
        for picked in product(*options):
            yield frozenset(zip(paths, picked, strict=True))

    def _versions(self, item: Object) -> list[bytes | None]:
        if item.is_directory:
            return [None]
        found: list[bytes | None] = []
        count = len(item.writes)
        for begin in range(count + 1):
            for end in range(begin, count + 1):
                hole = item.writes[begin:end]
                if any(data is None for _, data in hole) and end != count:
                    continue
                found.append(_played(item.synced, item.writes[:begin] + item.writes[end:]))
        return found

    def _now(self, what: int) -> bytes:
        item = self.objects[what]
        return _played(item.synced, item.writes)

    def _write(self, what: int, offset: int, data: bytes) -> None:
        for place in range(offset, offset + len(data)):
            at_block = place % BLOCK_BYTES == 0 or place == offset
            letter = data[place - offset : place - offset + 1]
            writes = self.objects[what].writes
            if at_block:
                writes.append((place, letter))
            else:
                begin, before = writes[-1]
                writes[-1] = (begin, (before or b"") + letter)

    def _make(self, path: str, *, is_directory: bool) -> int:
        self.objects.append(Object(is_directory))
        self.changes.append((self._edit(path, len(self.objects) - 1),))
        return len(self.objects) - 1

    def _edit(self, path: str, what: int | None) -> Edit:
        parent, _, name = path.rpartition("/")
        directory = self.find(parent) if parent else 0
        assert directory is not None
        return Edit(directory, name, what)

    def _tree(self, present: range | list[int]) -> dict[str, int]:
        entries: dict[tuple[int, str], int] = {}
        for number in present:
            for edit in self.changes[number]:
                entries.pop((edit.directory, edit.name), None)
                if edit.what is not None:
                    entries[edit.directory, edit.name] = edit.what
        tree: dict[str, int] = {}
        todo = [("", 0)]
        while todo:
            path, here = todo.pop()
            for (directory, name), what in entries.items():
                if directory == here:
                    tree[f"{path}/{name}"] = what
                    todo.append((f"{path}/{name}", what))
        return tree


def _played(start: bytes, writes: list[tuple[int, bytes | None]]) -> bytes:
    data = start
    for offset, piece in writes:
        if piece is None:
            data = data[:offset].ljust(offset, b"\0")
        else:
            data = data.ljust(offset, b"\0")
            data = data[:offset] + piece + data[offset + len(piece) :]
    return data
