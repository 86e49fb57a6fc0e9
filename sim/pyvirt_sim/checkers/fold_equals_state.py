"""Fold equals state: adding up the events gives what a query answers when all is quiet."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from pyvirt_sim.checkers.promise import Observation
from pyvirt_sim.checkers.trace import Checker, Entry, Kind

NAME = "fold-equals-state"
PROMISE = "Who adds up the events knows what a query would answer."

STATE_AFTER = {
    "DomainStarted": "running",
    "DomainResumed": "running",
    "DomainSuspended": "paused",
    "DomainShutdown": "shutdown",
    "DomainPmSuspended": "pmsuspended",
    "DomainCrashed": "crashed",
    "DomainStopped": "shutoff",
}
"""The state that each lifecycle event leaves a domain in."""
ABSENT = "absent"


@attrs.define
class Folded:
    """What an observer knows of one domain from events alone."""

    state: str = ABSENT
    is_persistent: bool = False
    devices: dict[str, None] = attrs.field(factory=dict[str, None])

    def take(self, entry: Entry) -> None:
        """Add one more event."""
        match entry.name:
            case "DomainDefined":
                self.is_persistent = True
                self.state = "shutoff" if self.state == ABSENT else self.state
            case "DomainUndefined":
                self.is_persistent = False
                self.state = ABSENT if self.state == "shutoff" else self.state
            case "DomainStopped":
                self.state = "shutoff" if self.is_persistent else ABSENT
                self.devices.clear()
            case "DeviceAdded":
                self.devices[str(entry.get("alias"))] = None
            case "DeviceRemoved":
                self.devices.pop(str(entry.get("alias")), None)
            case name:
                self.state = STATE_AFTER.get(name, self.state)


class FoldEqualsState(Checker):
    """At quiescence, each observer's fold of ``state`` and ``plugged`` is the answer.

    Args:
        folds: What observers knew before the trace began, by actor and domain.
    """

    def __init__(self, folds: dict[tuple[str, str], Folded] | None = None) -> None:
        super().__init__(NAME, PROMISE)
        self._folds = dict(folds or {})

    def on(self, entry: Entry) -> Iterable[Observation]:
        """Fold deliveries; compare answers that were not asked in the middle of something."""
        key = entry.actor, entry.subject
        if entry.kind is Kind.DELIVERED:
            self._folds.setdefault(key, Folded()).take(entry)
        elif entry.kind is Kind.SEEN and entry.get("at") is None and key in self._folds:
            folded = self._folds[key]
            known: dict[str, object] = {"state": folded.state, "plugged": tuple(folded.devices)}
            if entry.name in known:
                question = f"{entry.name} of {entry.subject} by {entry.actor}'s events?"
                yield Observation(question, str(entry.get("answer")), str(known[entry.name]))
