"""How a checker says that a promise is broken."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from pyvirt_sim.engine import note

VERDICT_ACTOR = "checker"
"""The actor of the note that says at which step a promise was found broken."""


@attrs.frozen
class Observation:
    """One question put to the system, the answer the promise requires, and the answer it gave."""

    question: str
    expected: str
    seen: str

    @property
    def is_as_promised(self) -> bool:
        """Whether the system gave the required answer."""
        return self.expected == self.seen


class PromiseBrokenError(AssertionError):
    """The program under test broke a promise; the schedule that made it do so is a finding.

    Args:
        checker: The checker's name, such as ``removed-means-gone``.
        promise: The promise, as one sentence.
        moment: When it was evaluated, such as ``client receives DeviceRemoved(hostdev0)``.
        observations: All questions asked at that moment, in order.
    """

    def __init__(
        self, checker: str, promise: str, moment: str, observations: Iterable[Observation]
    ) -> None:
        self.checker = checker
        self.promise = promise
        self.moment = moment
        self.observations = tuple(observations)
        wrong = "; ".join(
            f"{one.question}: expected {one.expected}, seen {one.seen}"
            for one in self.observations
            if not one.is_as_promised
        )
        super().__init__(f"{promise} Broken when {moment}: {wrong}")


def require(checker: str, promise: str, moment: str, observations: Iterable[Observation]) -> None:
    """Raise when one of ``observations`` is not as promised.

    Raises:
        PromiseBrokenError: At least one differs.
    """
    made = tuple(observations)
    if not all(one.is_as_promised for one in made):
        note(VERDICT_ACTOR, f"{checker}: the promise is broken")
        raise PromiseBrokenError(checker, promise, moment, made)
