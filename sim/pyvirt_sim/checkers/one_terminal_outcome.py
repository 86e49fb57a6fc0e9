"""One terminal outcome: every accepted removal ends in exactly one way, and nothing ends twice."""

from __future__ import annotations

from collections.abc import Iterable

from pyvirt_sim.checkers.promise import Observation
from pyvirt_sim.checkers.trace import Checker, Entry, Kind

NAME = "one-terminal-outcome"
PROMISE = "A removal that was asked for is done, has failed or its domain has stopped; once."

REQUESTS = ("detach-device", "request-detach")


class OneTerminalOutcome(Checker):
    """Removals by alias, as one observer hears of them.

    Args:
        observer: Whose deliveries count; others hear the same.
    """

    def __init__(self, observer: str = "client") -> None:
        super().__init__(NAME, PROMISE)
        self._observer = observer
        self._asked: dict[tuple[str, str], Entry] = {}
        self._gone: set[tuple[str, str]] = set()

    def on(self, entry: Entry) -> Iterable[Observation]:
        """Open and close requests; a device that is gone cannot be removed again."""
        key = entry.subject, str(entry.get("alias"))
        if entry.kind is Kind.BEGUN and entry.name in REQUESTS:
            self._asked[key] = entry
        elif entry.kind is Kind.ENDED and entry.name in REQUESTS:
            if entry.get("outcome") not in ("ok", "Cancelled"):
                asked = self._asked.get(key)
                if asked is not None and asked.get("call") == entry.get("call"):
                    del self._asked[key]  # the asker was told that it will not be
        elif entry.kind is Kind.DELIVERED and entry.actor == self._observer:
            yield from self._outcome(entry, key)

    def _outcome(self, entry: Entry, key: tuple[str, str]) -> Iterable[Observation]:
        if entry.name == "DeviceAdded":
            self._gone.discard(key)
        elif entry.name == "DeviceRemovalFailed":
            self._asked.pop(key, None)
        elif entry.name == "DeviceRemoved":
            self._asked.pop(key, None)
            was_there = "no" if key in self._gone else "yes"
            yield Observation(f"was {key[1]} there to be removed?", "yes", was_there)
            self._gone.add(key)
        elif entry.name == "DomainStopped":
            domain = entry.subject
            self._asked = {one: asked for one, asked in self._asked.items() if one[0] != domain}
            self._gone = {one for one in self._gone if one[0] != domain}

    def at_end(self) -> Iterable[Observation]:
        """A request without an outcome is lost."""
        return [
            Observation(f"what became of {asked}?", "removed, failed or stopped", "nothing")
            for asked in self._asked.values()
        ]
