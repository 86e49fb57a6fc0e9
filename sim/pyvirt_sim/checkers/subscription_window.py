"""Subscription window: all events from the confirmation on, none before it, none after the end."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from pyvirt_sim.checkers.promise import Observation
from pyvirt_sim.checkers.trace import Checker, Entry, Kind

NAME = "subscription-window"
PROMISE = "An observer gets every event of its subscription once and in order, and no other."

SUBSCRIBED = "subscribed"
"""The deed of an observer whose subscription is confirmed: `sequence` is the last event before."""
UNSUBSCRIBED = "unsubscribed"
GAP = "ResyncRequired"
"""The event that says that `missed` events will not come."""
LATEST = "sequence"
"""The question what the number of the latest event is."""


@attrs.define
class _Window:
    last: int
    is_open: bool = True


class SubscriptionWindow(Checker):
    """The numbers of the events that each observer gets."""

    def __init__(self) -> None:
        super().__init__(NAME, PROMISE)
        self._windows: dict[str, _Window] = {}

    def on(self, entry: Entry) -> Iterable[Observation]:
        """Numbers follow one another within a window."""
        window = self._windows.get(entry.actor)
        if entry.kind is Kind.DID and entry.name == SUBSCRIBED:
            self._windows[entry.actor] = _Window(int(entry.data["sequence"]))
        elif entry.kind is Kind.DID and entry.name == UNSUBSCRIBED and window is not None:
            window.is_open = False
        elif entry.kind is Kind.DELIVERED and window is not None:
            yield from self._delivery(window, entry)
        elif entry.kind is Kind.SEEN and entry.name == LATEST and window and window.is_open:
            latest = str(entry.get("answer"))
            yield Observation(f"which event did {entry.actor} get last?", latest, str(window.last))

    def _delivery(self, window: _Window, entry: Entry) -> Iterable[Observation]:
        subscribed = "yes" if window.is_open else "no"
        yield Observation(f"is {entry.actor} subscribed at {entry}?", "yes", subscribed)
        if entry.name == GAP:
            window.last += int(entry.data["missed"])
        elif entry.get("sequence") is not None:
            number = int(entry.data["sequence"])
            expected = str(window.last + 1)
            yield Observation(f"which number has {entry}?", expected, str(number))
            window.last = number
