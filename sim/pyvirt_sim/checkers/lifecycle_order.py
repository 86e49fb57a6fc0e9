"""Lifecycle order: the events of a domain come in an order that a life can have.

Needs nothing but the events, so it is good for a log of a real libvirt. The first event of a
domain is believed: what it was before the log began is not known. libvirt announces RESUMED before
STARTED when a machine begins to run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pyvirt_sim.checkers.promise import Observation
from pyvirt_sim.checkers.trace import Checker, Entry, Kind

NAME = "lifecycle-order"
PROMISE = "A domain starts when it is off, stops when it is on, and is paused only when it runs."

_RUNNING = frozenset({"running", "resumed at start"})
ALLOWED_IN: Mapping[str, frozenset[str]] = {
    "DomainStarted": frozenset({"off", "resumed at start", "asleep"}),
    "DomainResumed": frozenset({"off", "paused", "crashed"}),
    "DomainSuspended": _RUNNING,
    "DomainPmSuspended": _RUNNING,
    "DomainCrashed": _RUNNING | {"paused", "crashed"},
    "DomainShutdown": _RUNNING | {"paused", "crashed", "asleep"},
    "DomainStopped": _RUNNING | {"paused", "crashed", "asleep", "shut down"},
}
"""In which states of a domain each event may come."""
_AFTER = {
    "DomainStarted": "running",
    "DomainResumed": "running",
    "DomainSuspended": "paused",
    "DomainPmSuspended": "asleep",
    "DomainCrashed": "crashed",
    "DomainShutdown": "shut down",
    "DomainStopped": "off",
}


class LifecycleOrder(Checker):
    """The lifecycle events of each domain, as each observer gets them."""

    def __init__(self) -> None:
        super().__init__(NAME, PROMISE)
        self._states: dict[tuple[str, str], str] = {}

    def on(self, entry: Entry) -> Iterable[Observation]:
        """Compare an event with the state that those before it left."""
        if entry.kind is not Kind.DELIVERED or entry.name not in ALLOWED_IN:
            return
        key = entry.actor, entry.subject
        state = self._states.get(key)
        allowed = ALLOWED_IN[entry.name]
        if state is not None:
            expected = state if state in allowed else " or ".join(sorted(allowed))
            yield Observation(f"what is {entry.subject} before {entry}?", expected, state)
        is_early = state in ("off", None) and entry.name == "DomainResumed"
        self._states[key] = "resumed at start" if is_early else _AFTER[entry.name]
