"""Always: whenever something is seen, it is as it should be."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pyvirt_sim.checkers.promise import Observation
from pyvirt_sim.checkers.trace import Checker, Entry, Pattern


class Always(Checker):
    """Every entry of a kind satisfies a condition.

    Args:
        name: Of the checker.
        promise: One sentence.
        pattern: Which entries are looked at.
        holds: The condition; a text says what is wrong, ``None`` that nothing is.
    """

    def __init__(
        self, name: str, promise: str, pattern: Pattern, holds: Callable[[Entry], str | None]
    ) -> None:
        super().__init__(name, promise)
        self._pattern = pattern
        self._holds = holds

    def on(self, entry: Entry) -> Iterable[Observation]:
        """Look at it if it is of the kind."""
        if self._pattern(entry):
            wrong = self._holds(entry)
            yield Observation(f"what is wrong with {entry}?", "nothing", wrong or "nothing")


def answer_is(expected: object) -> Callable[[Entry], str | None]:
    """The condition that an answer is ``expected``."""

    def holds(entry: Entry) -> str | None:
        answer = entry.get("answer")
        return None if answer == expected else f"it is {answer}, not {expected}"

    return holds


def tells_nothing(entry: Entry) -> str | None:
    """The condition that an answer, which tells what is wrong, is empty."""
    answer = entry.get("answer")
    return str(answer) if answer else None
