"""libvirt's event model on top of a subscription: callbacks, numbers, and a dispatch timer.

A client of libvirt registers callbacks and gets numbers to take them back with. Events wait in a
queue; a timer that is armed while there is something to do empties it, outside of whoever made the
events. Three rules keep it whole:

1. the timer exists exactly while there are callbacks, and the queue is emptied when it goes;
2. a callback that is taken back during a dispatch is only marked, and purged at the end of it;
3. a dispatch goes over a copy: callbacks may register and deregister callbacks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypeAlias

import attrs
import trio

from pyvirt_trio import DomainEvent, Hypervisor

Callback: TypeAlias = Callable[[DomainEvent], None]

QUEUE_LENGTH = 64
"""Events that may wait for a dispatch; a story makes fewer."""


@attrs.define(eq=False)
class Registration:
    """One callback.

    Args:
        number: What it is taken back with.
        callback: Called with each event.
        domain: The only domain it is for; any when ``None``.
    """

    number: int
    callback: Callback
    domain: str | None
    is_removed: bool = False


@attrs.define(eq=False)
class Callbacks:
    """The callbacks of one connection.

    Args:
        hypervisor: Where the events come from.
    """

    hypervisor: Hypervisor
    registered: dict[int, Registration] = attrs.field(factory=dict[int, Registration])
    queue: deque[DomainEvent] = attrs.field(factory=lambda: deque(maxlen=QUEUE_LENGTH))
    has_timer: bool = False
    is_armed: bool = False
    is_dispatching: bool = False
    _numbers: int = 0
    _fired: trio.Event = attrs.field(factory=trio.Event)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Queue events and dispatch them, until cancelled."""
        _, events = self.hypervisor.subscribe()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.timer, name="dispatch timer")
            task_status.started()
            async for record in events:
                if isinstance(record.event, DomainEvent):
                    self.enqueue(record.event)

    def register(self, callback: Callback, domain: str | None = None) -> int:
        """Have ``callback`` called from now on; returns the number to take it back with."""
        self._numbers += 1
        self.registered[self._numbers] = Registration(self._numbers, callback, domain)
        if not self.has_timer:
            self.has_timer, self.is_armed = True, False
        return self._numbers

    def deregister(self, number: int) -> None:
        """Do not call it again."""
        self.registered[number].is_removed = True
        if not self.is_dispatching:
            self.purge()

    def purge(self) -> None:
        """Forget what was taken back; without callbacks there is no timer, and no queue."""
        for number, one in list(self.registered.items()):
            if one.is_removed:
                del self.registered[number]
        if not self.registered:
            self.has_timer = self.is_armed = False
            self.drop_queue()

    def drop_queue(self) -> None:
        """Nobody is there to be told."""
        self.queue.clear()

    def enqueue(self, event: DomainEvent) -> None:
        """Let it be dispatched; the timer is armed by the first in the queue."""
        if not self.registered and not self.queue:
            return
        self.queue.append(event)
        if len(self.queue) == 1 and self.has_timer:
            self.arm()

    def arm(self) -> None:
        """Dispatch at the next turn of the loop."""
        self.is_armed = True
        self._fired.set()

    async def timer(self) -> None:
        """Dispatch whenever armed, until cancelled."""
        while True:
            await self._fired.wait()
            self._fired = trio.Event()
            if self.is_armed:
                self.is_armed = False
                self.dispatch()

    def dispatch(self) -> None:
        """Give every event in the queue to every callback it is for."""
        self.is_dispatching = True
        while self.queue:
            event = self.queue.popleft()
            for one in self.recipients():
                if not one.is_removed and one.domain in (None, event.domain):
                    one.callback(event)
        self.is_dispatching = False
        self.after_dispatch()

    def recipients(self) -> list[Registration]:
        """Who may be told; a copy, for they may change the table."""
        return list(self.registered.values())

    def after_dispatch(self) -> None:
        """Look again whether anybody is left."""
        self.purge()
