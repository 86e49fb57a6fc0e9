"""The wait-for graph has no circle: who waits holds nothing that those it waits for need.

Things are held and waited for by name: a job, a lock, or an event. An event is *held* by whoever
must deliver it, so that "waits for DEVICE_DELETED while holding the job that its handler needs" is
a circle like any other. Circles of Trio's own primitives need no trace: the engine finds them
(`pyvirt_sim.engine.DeadlockError`).
"""

from __future__ import annotations

from collections.abc import Iterable

from pyvirt_sim.checkers.promise import Observation
from pyvirt_sim.checkers.trace import Checker, Entry, Kind

NAME = "wait-graph"
PROMISE = "Nobody who waits holds what those he waits for need first."


class WaitGraph(Checker):
    """No circle of holders and waiters, at any moment."""

    def __init__(self) -> None:
        super().__init__(NAME, PROMISE)
        self._holders: dict[str, dict[str, None]] = {}
        self._waits: dict[str, str] = {}

    def on(self, entry: Entry) -> Iterable[Observation]:
        """Change the graph; a new edge must not close a circle."""
        thing, actor = f"{entry.name} {entry.subject}".strip(), entry.actor
        if entry.kind is Kind.HOLDS:
            self._waits.pop(actor, None)
            self._holders.setdefault(thing, {})[actor] = None
        elif entry.kind is Kind.FREES:
            self._holders.get(thing, {}).pop(actor, None)
            if self._waits.get(actor) == thing:
                del self._waits[actor]
        elif entry.kind is Kind.WAITS:
            self._waits[actor] = thing
            circle = self._circle_from(actor)
            seen = " -> ".join(circle) if circle else "no"
            yield Observation(f"does {actor} wait in a circle?", "no", seen)

    def _circle_from(self, start: str) -> list[str]:
        ways = [[start]]
        met: set[str] = set()
        for way in ways:  # grows while it is walked: breadth first
            thing = self._waits.get(way[-1])
            for holder in self._holders.get(thing or "", {}):
                if holder == start:
                    return [*way, str(thing), start]
                if holder not in met:
                    met.add(holder)
                    ways.append([*way, holder])
        return []
