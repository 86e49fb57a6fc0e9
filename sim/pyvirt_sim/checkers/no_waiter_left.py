"""No waiter left: when all is quiet, nobody waits for an answer."""

from __future__ import annotations

from collections.abc import Iterable

from pyvirt_sim.checkers.promise import Observation
from pyvirt_sim.checkers.trace import Checker, Entry, Kind

NAME = "no-waiter-left"
PROMISE = "Every call is answered, with an error if need be; no task waits for what cannot come."


class NoWaiterLeft(Checker):
    """Every call that was begun has ended when all is quiet."""

    def __init__(self) -> None:
        super().__init__(NAME, PROMISE)
        self._open: dict[object, Entry] = {}

    def on(self, entry: Entry) -> Iterable[Observation]:
        """Keep the calls under way."""
        if entry.kind is Kind.BEGUN:
            self._open[entry.get("call")] = entry
        elif entry.kind is Kind.ENDED:
            self._open.pop(entry.get("call"), None)
        return ()

    def at_end(self) -> Iterable[Observation]:
        """Who is left?"""
        return [Observation(f"was {entry} answered?", "yes", "no") for entry in self._open.values()]
