"""Exactly once: neither lost nor doubled."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from pyvirt_sim.checkers.promise import Observation
from pyvirt_sim.checkers.trace import Checker, Entry, Key, Pattern


class ExactlyOnce(Checker):
    """Every ``cause`` has exactly one ``effect``, and there is no effect without one.

    Args:
        name: Of the checker.
        promise: One sentence.
        cause: What asks for it.
        effect: What must come once.
        key: What makes a cause and an effect belong together.
    """

    def __init__(self, name: str, promise: str, cause: Pattern, effect: Pattern, key: Key) -> None:
        super().__init__(name, promise)
        self._cause = cause
        self._effect = effect
        self._key = key
        self._due: dict[Hashable, list[Entry]] = {}

    def on(self, entry: Entry) -> Iterable[Observation]:
        """Count causes, and let each pay for one effect."""
        if self._cause(entry):
            self._due.setdefault(self._key(entry), []).append(entry)
        if self._effect(entry):
            due = self._due.get(self._key(entry))
            yield Observation(
                f"how often does its cause allow {entry}?",
                "once more" if not due else "once",
                "once" if due else "it has happened already",
            )
            if due:
                due.pop(0)

    def at_end(self) -> Iterable[Observation]:
        """A cause without an effect has lost it."""
        for due in self._due.values():
            for cause in due:
                yield Observation(f"how often came what {cause} asks for?", "once", "never")
