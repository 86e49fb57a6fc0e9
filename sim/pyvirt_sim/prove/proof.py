"""What a proof is, and what it comes to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import attrs


@attrs.frozen(kw_only=True)
class Effort:
    """What the parts of a proof may cost.

    Args:
        schedules: How many runs each part may have; one that needs more is not complete.
        schedules_of_a_crash: On how many schedules ``restart-equivalence`` tries each single crash:
            by default the canonical one and three of each other chooser.
    """

    schedules: int = 20_000
    schedules_of_a_crash: int = 13


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
        seconds: Of a processor, where somebody has measured it.
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
    seconds: float = 0.0


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
        return not self.violations and self.is_complete

    @property
    def runs(self) -> int:
        """Schedules of all parts together."""
        return sum(part.runs for part in self.parts)

    @property
    def classes(self) -> int:
        """Classes of all parts together."""
        return sum(part.classes for part in self.parts)

    @property
    def is_complete(self) -> bool:
        """Whether every part is."""
        return all(part.is_complete for part in self.parts)

    @property
    def seconds(self) -> float:
        """What all parts took of a processor's time."""
        return sum(part.seconds for part in self.parts)


@attrs.frozen(kw_only=True)
class Proof:
    """Something that can be proved by name, part by part, on as many processors as there are.

    Args:
        name: As on the command line, such as ``unplug-rng``.
        summary: What is proved, one sentence.
        bound: What "every schedule" means here: what is varied, and what is not.
        parts: The names of its searches.
        search: Does one of them. Takes its name, and what it may cost.
    """

    name: str
    summary: str
    bound: str
    parts: tuple[str, ...]
    search: Callable[[str, Effort], Part]

    def verdict(self, parts: Iterable[Part]) -> Verdict:
        """What the proof came to, by its parts in any order."""
        ordered = sorted(parts, key=lambda part: self.parts.index(part.name))
        return Verdict(name=self.name, bound=self.bound, parts=tuple(ordered))

    def run(self, effort: Effort) -> Verdict:
        """Do all of it here."""
        return self.verdict(self.search(name, effort) for name in self.parts)
