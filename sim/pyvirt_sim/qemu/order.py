"""The order in which QEMU walks its own dictionaries, where a monitor can see it.

When a message has two faults, QEMU names the one it meets first, and the sets it walks are hash
tables: GLib's, and its own QDict. Both hash strings by value alone, so that the order is the same
in every run, and can be computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

_MASK: Final = 0xFFFFFFFF
_QDICT_BUCKETS: Final = 512
# GLib 2.74: a table begins with 8 places, and takes hashes modulo the largest prime below its size.
_GLIB_MIN_SHIFT: Final = 3
_GLIB_PRIMES: Final = (1, 2, 3, 7, 13, 31, 61, 127, 251, 509, 1021, 2039, 4093, 8191, 16381)


def qdict_order(keys: Iterable[str]) -> list[str]:
    """The order in which QEMU walks a QDict (``qobject/qdict.c``): by bucket, newest first."""
    newest_first = list(keys)[::-1]
    return sorted(newest_first, key=lambda key: _tdb_hash(key) % _QDICT_BUCKETS)


def glib_order(keys: Iterable[str]) -> list[str]:
    """The order in which GLib walks a hash table that got these distinct keys one by one."""
    table = GlibTable()
    for key in keys:
        table.add(key)
    return table.keys()


class GlibTable:
    """The places of a GHashTable with string keys, as ``ghash.c`` fills, frees and resizes them."""

    def __init__(self) -> None:
        self._shift = _GLIB_MIN_SHIFT
        # None: never used. "": freed, which a search walks over (QEMU uses no empty keys here).
        self._places: list[str | None] = [None] * (1 << self._shift)
        self._live = 0
        self._used = 0

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def keys(self) -> list[str]:
        """The keys, in the order in which GLib walks them."""
        return [key for key in self._places if key]

    def add(self, key: str) -> None:
        """Insert a key; does nothing when it is there."""
        free, index = self._search(key)
        if self._places[index] == key:
            return
        if free is None:
            self._used += 1
        self._places[index if free is None else free] = key
        self._live += 1
        self._maybe_resize()

    def remove(self, key: str) -> None:
        """Remove a key that is there."""
        _, index = self._search(key)
        assert self._places[index] == key, f"no {key} in the table"
        self._places[index] = ""
        self._live -= 1
        self._maybe_resize()

    def _search(self, key: str) -> tuple[int | None, int]:
        """The first freed place on the way, and the place of the key or the first empty one."""
        size = len(self._places)
        index = _place(key, self._shift)
        free: int | None = None
        step = 0
        while (there := self._places[index]) is not None and there != key:
            if not there and free is None:
                free = index
            step += 1
            index = (index + step) % size
        return free, index

    def _maybe_resize(self) -> None:
        size = len(self._places)
        is_sparse = size > self._live * 4 and size > 1 << _GLIB_MIN_SHIFT
        if not is_sparse and size > self._used + self._used // 16:
            return
        self._shift = max(int(self._live * 1.333).bit_length(), _GLIB_MIN_SHIFT)
        self._rehash(1 << self._shift)
        self._used = self._live

    def _rehash(self, size: int) -> None:
        """Move every key to its new place; one that stands in the way is moved next."""
        old = self._places
        waiting: list[str | None] = [*old, *[None] * max(0, size - len(old))]
        new: list[str | None] = [None] * size
        for start in range(len(old)):
            key, waiting[start] = waiting[start], None
            while key:
                index, step = _place(key, self._shift), 0
                while new[index] is not None:
                    step += 1
                    index = (index + step) % size
                new[index] = key
                key, waiting[index] = waiting[index], None
        self._places = new


def _place(key: str, shift: int) -> int:
    value = 5381  # g_str_hash: Bernstein's hash over signed characters
    for byte in key.encode():
        value = (value * 33 + (byte - 256 if byte > 127 else byte)) & _MASK
    # 0 and 1 stand for unused and freed places.
    return (max(value, 2) * 11 & _MASK) % _GLIB_PRIMES[shift]


def _tdb_hash(name: str) -> int:
    data = name.encode()
    value = 0x238F13AF * len(data)
    for position, byte in enumerate(data):
        value += byte << (position * 5 % 24)
    return (1103515243 * (value & _MASK) + 12345) & _MASK
