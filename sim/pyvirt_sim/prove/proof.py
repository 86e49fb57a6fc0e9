"""What a proof is, and what it comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs


@attrs.frozen(kw_only=True)
class Part:
    """One search of a proof: a scenario, and all its schedules within the bound.

    Args:
        name: What differs from the other parts, such as the rival call.
        runs: How many schedules ran, those included that turned out to repeat a class.
        classes: How many of them no other one of these can be turned into by swapping steps that
            have nothing in common.
        steps: Task steps of all runs together.
        ended: Why the search ended, in its own words.
        is_complete: Whether every schedule within the bound is covered.
        violation: What broke, in one line; ``None`` when nothing did.
        broken: The checker that said so, or the class of the error.
        tape: The failing schedule, for the engine's ``replay``; empty when nothing broke.
        counts: What else was counted, by what it is called.
    """

    name: str
    runs: int
    classes: int
    steps: int
    ended: str
    is_complete: bool
    violation: str | None = None
    broken: str | None = None
    tape: str = ""
    counts: Mapping[str, int] = attrs.field(factory=dict[str, int])


@attrs.frozen(kw_only=True)
class Verdict:
    """What a proof came to.

    Args:
        name: The proof.
        bound: What "every schedule" means here: what was varied, and what was not.
        parts: Its searches.
    """

    name: str
    bound: str
    parts: tuple[Part, ...]

    @property
    def violations(self) -> int:
        """How many parts found a broken promise."""
        return sum(part.violation is not None for part in self.parts)

    @property
    def counts(self) -> dict[str, int]:
        """What else was counted, over all parts."""
        names = dict.fromkeys(name for part in self.parts for name in part.counts)
        return {name: sum(part.counts.get(name, 0) for part in self.parts) for name in names}

    @property
    def is_proved(self) -> bool:
        """Whether every part is complete and nothing broke."""
        return not self.violations and all(part.is_complete for part in self.parts)

    @property
    def runs(self) -> int:
        """Schedules of all parts together."""
        return sum(part.runs for part in self.parts)

    @property
    def classes(self) -> int:
        """Classes of all parts together."""
        return sum(part.classes for part in self.parts)


@attrs.frozen(kw_only=True)
class Proof:
    """Something that can be proved by name.

    Args:
        name: As on the command line, such as ``unplug-rng``.
        summary: What is proved, one sentence.
        run: Does it. Takes how many schedules each part may have at most.
    """

    name: str
    summary: str
    run: Callable[[int], Verdict]
