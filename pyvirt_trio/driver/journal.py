"""Commit, then announce: the numbered record of everything an observer may be told.

State and events change together, in one synchronous `Commit` with no await inside. The changes are
applied first and the events are appended on exit, so nobody can receive an event and still see the
state from before it. "Queue the event as the last act" (libvirt's repair of bug 1658198) is
thereby the only thing that can be written, not a habit to be remembered at every call.

Observers read the journal through a `Subscription`, a cursor of their own. The journal keeps the
latest `JOURNAL_LENGTH` records; an observer that falls further behind is told so exactly once, and
never slows the monitor that produces the events.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

import attrs
import trio

from pyvirt_trio.errors import ResyncRequiredError
from pyvirt_trio.models.events import HypervisorEvent, Record

if TYPE_CHECKING:
    from types import TracebackType

JOURNAL_LENGTH = 4096
"""Records kept for observers. At some 200 bytes each this is under 1 MiB, and a busy host (ten
events a second) gives a stalled observer nearly seven minutes before it has to resynchronise."""


class Committed(Protocol):
    """Something whose state is one frozen attrs value, replaced only inside a commit."""

    view: Any


class Journal:
    """The events of one hypervisor, numbered 1, 2, 3, ... without gaps."""

    def __init__(self, *, length: int = JOURNAL_LENGTH) -> None:
        self._records: deque[Record] = deque(maxlen=length)
        self._sequence = 0
        self._observers = trio.lowlevel.ParkingLot()

    @property
    def sequence(self) -> int:
        """Number of the latest event, 0 before the first."""
        return self._sequence

    def commit(self) -> Commit:
        """A transaction for a ``with`` statement; see `Commit`."""
        return Commit(self)

    def subscribe(self) -> Subscription:
        """A cursor that starts behind the latest event."""
        return Subscription(self, self._sequence)

    def append(self, events: list[HypervisorEvent]) -> None:
        """Number ``events`` and wake the observers; for `Commit` alone."""
        for event in events:
            self._sequence += 1
            self._records.append(Record(self._sequence, event))
        if events:
            self._observers.unpark_all()

    async def wait_beyond(self, sequence: int) -> None:
        """Block until there is a record with a higher number."""
        while self._sequence == sequence:
            await self._observers.park()

    def missed_after(self, sequence: int) -> int:
        """How many records behind ``sequence`` are no longer kept."""
        return max(0, self._sequence - sequence - len(self._records))

    def after(self, sequence: int) -> Record:
        """The record that follows ``sequence``; there is one, and it is kept."""
        return self._records[len(self._records) - (self._sequence - sequence)]


class Commit:
    """One synchronous change of state together with the events that tell of it.

    Leaving the ``with`` block by an exception appends nothing.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._events: list[HypervisorEvent] = []

    def __enter__(self) -> Commit:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc is None:
            self._journal.append(self._events)

    def update(self, target: Committed, **changes: object) -> None:
        """Replace ``target.view`` by a copy with ``changes`` made."""
        target.view = attrs.evolve(target.view, **changes)

    def announce(self, event: HypervisorEvent) -> None:
        """Append ``event`` when the commit ends, after every change made in it."""
        self._events.append(event)


class Subscription:
    """An observer's place in the journal; iterate over it to receive every `Record` in order."""

    def __init__(self, journal: Journal, sequence: int) -> None:
        self._journal = journal
        self._sequence = sequence

    @property
    def sequence(self) -> int:
        """Number of the last record this observer has received or been told it missed."""
        return self._sequence

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Record:
        return await self.receive()

    async def receive(self) -> Record:
        """The next record, waiting for it if need be.

        Returns:
            The event and its number. Every query already agrees with it.

        Raises:
            ResyncRequiredError: Records between this one's predecessor and the oldest kept are lost
                to this observer. The next call continues with the oldest kept.

        Cancellation:
            No record is lost: the next call returns the same one.
        """
        await trio.lowlevel.checkpoint()
        await self._journal.wait_beyond(self._sequence)
        return self.receive_nowait()

    def receive_nowait(self) -> Record:
        """As `receive`, without waiting.

        Raises:
            trio.WouldBlock: There is no new record.
            ResyncRequiredError: As for `receive`.
        """
        if self._sequence == self._journal.sequence:
            raise trio.WouldBlock
        missed = self._journal.missed_after(self._sequence)
        if missed:
            self._sequence += missed
            raise ResyncRequiredError(missed)
        record = self._journal.after(self._sequence)
        self._sequence = record.sequence
        return record
