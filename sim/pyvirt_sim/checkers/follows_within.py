"""Follows within: a cause has its effect in time."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from pyvirt_sim.checkers.promise import Observation
from pyvirt_sim.checkers.trace import Checker, Entry, Key, Pattern


class FollowsWithin(Checker):
    """Every ``cause`` is followed by an ``effect`` that belongs to it, soon enough.

    Args:
        name: Of the checker.
        promise: One sentence.
        cause: What starts the clock; a second one of the same key does not start it anew.
        effect: What stops it.
        key: What makes a cause and an effect belong together.
        seconds: How long it may take, in virtual time, or by the stamps of a log.
    """

    def __init__(
        self, name: str, promise: str, cause: Pattern, effect: Pattern, key: Key, seconds: float
    ) -> None:
        super().__init__(name, promise)
        self._cause = cause
        self._effect = effect
        self._key = key
        self._seconds = seconds
        self._waiting: dict[Hashable, Entry] = {}

    def on(self, entry: Entry) -> Iterable[Observation]:
        """Who has waited too long by the time of this entry?"""
        for key, cause in list(self._waiting.items()):
            if entry.time_s > cause.time_s + self._seconds:
                del self._waiting[key]
                yield self._too_late(cause, f"not after {entry.time_s - cause.time_s:g} s")
        if self._effect(entry):
            self._waiting.pop(self._key(entry), None)
        elif self._cause(entry):
            self._waiting.setdefault(self._key(entry), entry)

    def at_end(self) -> Iterable[Observation]:
        """What has not come will not come."""
        return [self._too_late(cause, "never") for cause in self._waiting.values()]

    def _too_late(self, cause: Entry, seen: str) -> Observation:
        return Observation(
            f"when did what follows {cause} come?", f"within {self._seconds:g} s", seen
        )
