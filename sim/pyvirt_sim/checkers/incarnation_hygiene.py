"""Incarnation hygiene: nothing of one life of a domain acts on another."""

from __future__ import annotations

from collections.abc import Iterable

from pyvirt_sim.checkers.promise import Observation
from pyvirt_sim.checkers.trace import Checker, Entry, Kind

NAME = "incarnation-hygiene"
PROMISE = "What was born in one life of a domain acts on no other, and a life is over once."

ENDS_LIFE = "ends life"
"""The deed that says that a life is to end, or that its process has ended: `life`."""
LIFELESS = frozenset({"DomainDefined", "DomainUndefined"})


class IncarnationHygiene(Checker):
    """Events come life by life; a life that stops has a reason of its own.

    Args:
        needs_reason: Whether `ENDS_LIFE` is recorded, so that every stop can be held to it.
    """

    def __init__(self, *, needs_reason: bool = False) -> None:
        super().__init__(NAME, PROMISE)
        self._needs_reason = needs_reason
        self._latest: dict[tuple[str, str], int] = {}
        self._over: dict[tuple[str, str], int] = {}
        self._reasons: set[tuple[str, int]] = set()

    def on(self, entry: Entry) -> Iterable[Observation]:
        """Compare the life of an event, or of a deed and its doer, with the present one."""
        life = entry.get("life")
        if entry.kind is Kind.DID and entry.name == ENDS_LIFE:
            self._reasons.add((entry.subject, life))
        elif entry.kind is Kind.DID and entry.get("born") is not None:
            yield Observation(f"which life does {entry} act on?", str(entry.get("born")), str(life))
        elif entry.kind is Kind.DELIVERED and life and entry.name not in LIFELESS:
            yield from self._event(entry, int(life))

    def _event(self, entry: Entry, life: int) -> Iterable[Observation]:
        key = entry.actor, entry.subject
        latest = self._latest[key] = max(life, self._latest.get(key, 0))
        yield Observation(f"which life is the present one at {entry}?", str(life), str(latest))
        is_over = self._over.get(key, 0) >= life
        yield Observation(f"is life {life} over before {entry}?", "no", "yes" if is_over else "no")
        if entry.name == "DomainStopped":
            self._over[key] = life
            if self._needs_reason:
                has_reason = "yes" if (entry.subject, life) in self._reasons else "no"
                yield Observation(f"had life {life} a reason to end?", "yes", has_reason)
