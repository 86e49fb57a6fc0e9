"""Ack implies effect: who is told that something is done finds it done.

Asked at the observer, in the step of the delivery: an answer one step later proves less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from pyvirt_sim.checkers.promise import Observation
from pyvirt_sim.checkers.trace import Checker, Entry, Kind

Expectation: TypeAlias = Callable[[Entry, str], object]
"""For a delivery and a question asked at it, the answer that must be given; ``None`` for any."""


class AckImpliesEffect(Checker):
    """At each delivery, and at each successful end of a call, the answers are those expected.

    Args:
        name: Of the checker.
        promise: One sentence.
        expected: Which answers.
    """

    def __init__(self, name: str, promise: str, expected: Expectation) -> None:
        super().__init__(name, promise)
        self._expected = expected
        self._acks: dict[int, Entry] = {}

    def on(self, entry: Entry) -> Iterable[Observation]:
        """Compare the answers that were asked for at an ack."""
        if entry.kind in (Kind.DELIVERED, Kind.ENDED):
            self._acks = {entry.number: entry}  # the latest: answers are of the same step
        at = entry.get("at")
        if entry.kind is not Kind.SEEN or at not in self._acks:
            return
        ack = self._acks[at]
        expected = self._expected(ack, entry.name)
        if expected is not None:
            question = f"{entry.name} of {entry.subject}, as {ack}?"
            yield Observation(question, str(expected), str(entry.get("answer")))
