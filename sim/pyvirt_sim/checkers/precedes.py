"""Precedes: an effect has its cause before it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from pyvirt_sim.checkers.promise import Observation
from pyvirt_sim.checkers.trace import Checker, Entry, Key, Pattern


class Precedes(Checker):
    """Every ``then`` comes after a ``first`` that belongs to it.

    Args:
        name: Of the checker.
        promise: One sentence.
        first: The cause.
        then: The effect.
        key: What makes a cause and an effect belong together.
        each: Whether each effect needs a cause of its own; otherwise one serves for many.
    """

    def __init__(
        self,
        name: str,
        promise: str,
        first: Pattern,
        then: Pattern,
        key: Key,
        *,
        each: bool = False,
    ) -> None:
        super().__init__(name, promise)
        self._first = first
        self._then = then
        self._key = key
        self._each = each
        self._causes: dict[Hashable, int] = {}

    def on(self, entry: Entry) -> Iterable[Observation]:
        """Count causes, and look for one before each effect."""
        if self._first(entry):
            key = self._key(entry)
            self._causes[key] = self._causes.get(key, 0) + 1
        if self._then(entry):
            left = self._causes.get(self._key(entry), 0)
            if left and self._each:
                self._causes[self._key(entry)] = left - 1
            yield Observation(f"is there a cause before {entry}?", "yes", "yes" if left else "no")
