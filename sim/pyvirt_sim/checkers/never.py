"""Never: something is not seen at all."""

from __future__ import annotations

from collections.abc import Iterable

from pyvirt_sim.checkers.promise import Observation
from pyvirt_sim.checkers.trace import Checker, Entry, Pattern


class Never(Checker):
    """No entry matches a pattern.

    Args:
        name: Of the checker.
        promise: One sentence.
        pattern: What must not be seen.
    """

    def __init__(self, name: str, promise: str, pattern: Pattern) -> None:
        super().__init__(name, promise)
        self._pattern = pattern

    def on(self, entry: Entry) -> Iterable[Observation]:
        """Anything that matches is a violation."""
        if self._pattern(entry):
            yield Observation("what was seen?", "nothing of the kind", str(entry))
