"""Commit, then announce: the numbered record of everything an observer may be told.

State and events change together, in one synchronous `Commit` with no await inside. The changes are
applied first and the events are appended on exit, so nobody can receive an event and still see the
state from before it. "Queue the event as the last act" (libvirt's repair of bug 1658198) is
thereby the only thing that can be written, not a habit to be remembered at every call.

Observers read the journal through a `Subscription`, a cursor of their own into one ring of the
latest `JOURNAL_LENGTH` records. An observer costs the journal nothing, however slow it is, and
never slows the monitor that produces the events.

The one gap marker
    An observer that falls further behind than the ring is long is told so once, and its
    subscription ends with that: the marker is its last word. Were it put back into the stream
    instead, a slow observer would be overrun again before it had caught up, and would be told
    again, and again, for as long as the storm lasts. It comes back by subscribing anew, when it is
    ready to: a new view of everything, and every event behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import attrs
import trio

from pyvirt_trio.errors import ResyncRequiredError
from pyvirt_trio.models.event_filter import EVERYTHING, EventFilter
from pyvirt_trio.models.events import Cursor, HypervisorEvent, Record

if TYPE_CHECKING:
    from types import TracebackType

JOURNAL_LENGTH = 4096
"""Records kept for observers. At some 250 bytes each this is about 1 MiB, and a busy host (ten
events a second) gives a stalled observer nearly seven minutes before it has to resynchronise."""


class Committed(Protocol):
    """Something whose state is one frozen attrs value, replaced only inside a commit.

    A second one has what observers do not see and a new manager must know.
    """

    view: Any
    private: Any


Keep: TypeAlias = Callable[[Sequence[Committed], Sequence[Record]], None]
"""Called in each commit with what has changed and the records of its events; must not raise."""


def _no_clock() -> float:
    return 0.0


class Journal:
    """The events of one hypervisor, numbered 1, 2, 3, ... without gaps.

    Args:
        length: Records kept.
        identity: Tells this series of numbers from that of every other journal.
        sequence: Number of the latest event of this series, told before this object was made.
        records: Those of the latest events until then that are still known.
        wall_clock_s: When a record is made, for people to read.
    """

    def __init__(
        self,
        *,
        length: int = JOURNAL_LENGTH,
        identity: str = "journal",
        sequence: int = 0,
        records: Sequence[Record] = (),
        wall_clock_s: Callable[[], float] = _no_clock,
    ) -> None:
        self.identity = identity
        self._length = length
        # Record `n` is at `(n - 1) % length`, which takes one step to find, however old it is.
        self._ring: list[Record | None] = [None] * length
        self._sequence = sequence
        self._first_sequence = sequence + 1 - len(records)
        for record in records:
            self._ring[(record.sequence - 1) % length] = record
        self.keep: Keep | None = None
        self._wall_clock_s = wall_clock_s
        self._observers = trio.lowlevel.ParkingLot()

    @property
    def sequence(self) -> int:
        """Number of the latest event, 0 before the first."""
        return self._sequence

    @property
    def oldest(self) -> int:
        """Number of the oldest record that is kept; beyond `sequence` while there is none."""
        return max(self._first_sequence, self._sequence - self._length + 1)

    @property
    def cursor(self) -> Cursor:
        """The place behind the latest event."""
        return Cursor(self.identity, self._sequence)

    def commit(self) -> Commit:
        """A transaction for a ``with`` statement; see `Commit`."""
        return Commit(self)

    def subscribe(self, filter_: EventFilter = EVERYTHING) -> Subscription:
        """A subscription that starts behind the latest event."""
        return Subscription(self, self._sequence, filter_)

    def resume(self, cursor: Cursor, filter_: EventFilter = EVERYTHING) -> Subscription:
        """A subscription that starts behind the event at ``cursor``.

        Raises:
            ResyncRequiredError: Events behind it are no longer kept, or it is of another journal.
        """
        if cursor.journal != self.identity or cursor.sequence > self._sequence:
            raise ResyncRequiredError.gap(1, self._sequence)  # it says nothing of these numbers
        if cursor.sequence + 1 < self.oldest:
            raise ResyncRequiredError.gap(cursor.sequence + 1, self._sequence)
        return Subscription(self, cursor.sequence, filter_)

    def append(self, events: Sequence[HypervisorEvent], changed: Sequence[Committed] = ()) -> None:
        """Number ``events``, put them on disk with what they tell of, and wake the observers.

        For `Commit` alone.
        """
        now_s = self._wall_clock_s() if events else 0.0
        first = self._sequence + 1
        records = [Record(first + index, event, now_s) for index, event in enumerate(events)]
        if self.keep is not None:
            self.keep(changed, records)
        for record in records:
            self._ring[(record.sequence - 1) % self._length] = record
        self._sequence += len(records)
        if records:
            self._observers.unpark_all()

    def latest(self, count: int) -> list[Record]:
        """The latest records, ``count`` at most, oldest first."""
        first = max(self.oldest, self._sequence - count + 1)
        return [self.record(number) for number in range(first, self._sequence + 1)]

    async def wait_beyond(self, sequence: int) -> None:
        """Block until there is a record with a higher number."""
        while self._sequence == sequence:
            await self._observers.park()

    def record(self, sequence: int) -> Record:
        """The record of that number, which is kept."""
        record = self._ring[(sequence - 1) % self._length]
        assert record is not None, "the number is that of a record that is kept"
        assert record.sequence == sequence, "the number is that of a record that is kept"
        return record


class Commit:
    """One synchronous change of state together with the events that tell of it.

    Leaving the ``with`` block by an exception appends nothing.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._events: list[HypervisorEvent] = []
        self._changed: dict[Committed, None] = {}

    def __enter__(self) -> Commit:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc is None:
            self._journal.append(self._events, list(self._changed))

    def update(self, target: Committed, **changes: object) -> None:
        """Replace ``target.view`` by a copy with ``changes`` made."""
        target.view = attrs.evolve(target.view, **changes)
        self._changed[target] = None

    def note(self, target: Committed, **changes: object) -> None:
        """Replace ``target.private`` by a copy with ``changes`` made."""
        target.private = attrs.evolve(target.private, **changes)
        self._changed[target] = None

    def announce(self, event: HypervisorEvent) -> None:
        """Append ``event`` when the commit ends, after every change made in it."""
        self._events.append(event)


class Subscription:
    """An observer's place in the journal; iterate over it to receive every `Record` in order.

    Made by `Hypervisor.subscribe` or `Hypervisor.resume`. It holds nothing and need not be closed.
    """

    def __init__(self, journal: Journal, sequence: int, filter_: EventFilter) -> None:
        self._journal = journal
        self._sequence = sequence
        self._filter = filter_
        self._has_ended = False

    @property
    def sequence(self) -> int:
        """Number of the last record this observer has received, passed over or lost."""
        return self._sequence

    @property
    def cursor(self) -> Cursor:
        """Where this observer is, to be kept and given to `Hypervisor.resume`."""
        return Cursor(self._journal.identity, self._sequence)

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Record:
        return await self.receive()

    async def receive(self) -> Record:
        """The next record, waiting for it if need be.

        Returns:
            The event and its number. Every query already agrees with it.

        Raises:
            ResyncRequiredError: This observer was too slow, and events are lost to it: the first
                and the last of them are named. The subscription has ended; subscribe anew.
            trio.ClosedResourceError: It had ended so before.

        Cancellation:
            No record is lost: the next call returns the same one.
        """
        return (await self.receive_batch(1))[0]

    async def receive_batch(self, limit: int = JOURNAL_LENGTH) -> list[Record]:
        """All records that have come, at least one; a quicker way to read than one by one.

        Args:
            limit: At most so many.

        Raises:
            ResyncRequiredError, trio.ClosedResourceError: As for `receive`.

        Cancellation:
            No record is lost: the next call returns the same ones.
        """
        if self._sequence != self._journal.sequence or self._has_ended:
            await trio.lowlevel.checkpoint()
        else:  # to wait is checkpoint enough
            await self._journal.wait_beyond(self._sequence)
        while not (found := self._take(limit)):
            await self._journal.wait_beyond(self._sequence)
        return found

    def receive_nowait(self) -> Record:
        """As `receive`, without waiting.

        Raises:
            trio.WouldBlock: There is no new record.
            ResyncRequiredError, trio.ClosedResourceError: As for `receive`.
        """
        found = self._take(1)
        if not found:
            raise trio.WouldBlock
        return found[0]

    def _take(self, limit: int) -> list[Record]:
        """The next records that the filter admits, and the cursor behind the last one looked at."""
        self._require_no_gap()
        journal, admits = self._journal, self._filter.admits
        found: list[Record] = []
        while self._sequence < journal.sequence and len(found) < limit:
            self._sequence += 1
            record = journal.record(self._sequence)
            if admits(record.event):
                found.append(record)
        return found

    def _require_no_gap(self) -> None:
        if self._has_ended:
            raise trio.ClosedResourceError("this subscription has ended: subscribe anew")
        first = self._sequence + 1
        if first < self._journal.oldest:
            self._has_ended = True
            self._sequence = self._journal.sequence
            raise ResyncRequiredError.gap(first, self._sequence)
