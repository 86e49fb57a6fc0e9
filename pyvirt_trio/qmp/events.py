"""A bounded queue between a monitor that must never wait and a reader that may be slow."""

from __future__ import annotations

from collections import deque

import trio

from pyvirt_trio.errors import RemoteProtocolError, ResyncRequiredError
from pyvirt_trio.qmp.limits import MAX_QUEUED_EVENTS
from pyvirt_trio.qmp.messages import Event


class EventQueue:
    """The events of a session, for ``async for``.

    QEMU stops when nobody reads its monitor, so the monitor side never waits: beyond
    ``MAX_QUEUED_EVENTS`` the oldest events go, and the reader gets one `ResyncRequiredError` that
    says how many, in their place. Reading may then go on with a new ``async for``. Each event goes
    to one reader.
    """

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._missed = 0
        self._is_closed = False
        self._offence: RemoteProtocolError | None = None
        self._readers = trio.lowlevel.ParkingLot()

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: Event) -> None:
        """Adds an event; never waits."""
        if len(self._events) == MAX_QUEUED_EVENTS:
            self._events.popleft()
            self._missed += 1
        self._events.append(event)
        self._readers.unpark()

    def close(self, offence: RemoteProtocolError | None) -> None:
        """Lets readers end, or raises the offence to them, once they have read what is here."""
        self._is_closed = True
        self._offence = offence
        self._readers.unpark_all()

    def __aiter__(self) -> EventQueue:
        return self

    async def __anext__(self) -> Event:
        """Returns the next event.

        Raises:
            ResyncRequiredError: Events were dropped here; the next call goes on behind the gap.
            RemoteProtocolError: The peer broke the protocol, and everything before that was read.
            StopAsyncIteration: The connection has ended, and everything before that was read.

        Cancellation: no event is lost.
        """
        await trio.lowlevel.checkpoint()
        while not self._events:
            if self._offence is not None:
                raise self._offence
            if self._is_closed:
                raise StopAsyncIteration
            await self._readers.park()
        if self._missed:
            missed, self._missed = self._missed, 0
            raise ResyncRequiredError(missed)
        return self._events.popleft()
