"""What a listening socket keeps: connections to be accepted, and those that find no room."""

from __future__ import annotations

import errno
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from pyvirt_sim.engine.net.plan import CONNECT_TIMEOUT_S

if TYPE_CHECKING:
    from pyvirt_sim.engine.net.endpoint import Endpoint
    from pyvirt_sim.engine.net.opensocket import OpenSocket

__all__ = ["Listening"]


class Listening:
    """The queue in front of ``accept``.

    As in Linux it holds one connection more than the backlog. Who finds it full is not refused:
    its request waits (a real one is sent again and again) until ``accept`` makes room, or TCP's
    time for connecting is over.
    """

    def __init__(self, owner: OpenSocket, backlog: int) -> None:
        self.owner = owner
        self.backlog = backlog
        self._shaking_hands = 0
        self._ready: deque[Endpoint] = deque()
        self._waiting: deque[Endpoint] = deque()

    @property
    def is_readable(self) -> bool:
        """Whether a connection can be accepted."""
        return bool(self._ready)

    def knock(self, end: Endpoint) -> None:
        """A connection request for ``end`` has arrived."""
        end.listening = self
        if self._shaking_hands + len(self._ready) > self.backlog:
            self._waiting.append(end)
            network = self.owner.host.network
            network.call_at(network.now_s + CONNECT_TIMEOUT_S, partial(self._give_up, end))
        else:
            self._answer(end)

    def _answer(self, end: Endpoint) -> None:
        self._shaking_hands += 1
        end.send("syn-ack")

    def _give_up(self, end: Endpoint) -> None:
        if end in self._waiting and end.peer is not None:
            self._waiting.remove(end)
            end.is_reset = True
            end.peer.fail(errno.ETIMEDOUT)

    def complete(self, end: Endpoint) -> None:
        """The other end knows that it is connected: ``end`` can be accepted."""
        self.owner.host.wire.touch()
        self._shaking_hands -= 1
        self._ready.append(end)
        self.owner.wake_readers()

    def abandon(self) -> None:
        """The other end of a connection that was being set up is gone."""
        self.owner.host.wire.touch()
        self._shaking_hands -= 1
        self._admit()

    def accept(self) -> Endpoint | None:
        """Return the oldest connection, or None."""
        if not self._ready:
            return None
        end = self._ready.popleft()
        end.listening = None
        self._admit()
        return end

    def _admit(self) -> None:
        if self._waiting:
            self._answer(self._waiting.popleft())

    def close(self) -> None:
        """Reset who was not accepted, refuse who waits."""
        for end in (*self._ready, *self._waiting):
            end.is_connected = True
            end.close(abort=True)
        self._ready.clear()
        self._waiting.clear()

    def vanish(self, *, silent: bool) -> None:
        """Forget everybody because the machine crashed."""
        for end in (*self._ready, *self._waiting):
            end.vanish(silent=silent)
        self._ready.clear()
        self._waiting.clear()
