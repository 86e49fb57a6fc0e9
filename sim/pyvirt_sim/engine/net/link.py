"""One direction between two hosts: carries messages, late, held, lost or at once.

A link is an unreliable road under reliable connections. What a partition or a machine that is down
keeps from arriving is sent again when the road is open, as TCP does, and given up after TCP's
time; what a test holds waits for its release and is never given up.
"""

from __future__ import annotations

import errno
from bisect import insort
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from pyvirt_sim.engine.net.plan import CONNECT_TIMEOUT_S, RETRANSMIT_TIMEOUT_S, LinkPlan
from pyvirt_sim.engine.net.wire import Wire, touch_everything

if TYPE_CHECKING:
    from pyvirt_sim.engine.net.endpoint import Endpoint
    from pyvirt_sim.engine.net.host import Host
    from pyvirt_sim.engine.net.network import Network

__all__ = ["Link", "Message"]


@attrs.define(eq=False)
class Message:
    """Something on its way from one end of a connection to the other.

    Attributes:
        source: where it comes from, ``client 10.0.0.2:49152``.
        target: where it goes.
        kind: ``syn``, ``syn-ack``, ``ack`` (connecting), ``data``, ``fin``, ``rst``; from
            Unix sockets also ``close`` and ``deaf`` (reading was shut down).
        data: the bytes, for ``data``.
        sent_at_s: virtual time of the sending.
        due_s: virtual time of its arrival, unless it is held or lost.
    """

    source: str
    target: str
    kind: str
    data: bytes
    sent_at_s: float
    due_s: float
    sequence: int = attrs.field(repr=False)
    arrive: Callable[[], object] = attrs.field(repr=False)
    give_up: Callable[[int], object] = attrs.field(repr=False)


def _order(message: Message) -> tuple[float, int]:
    return message.due_s, message.sequence


class Link:
    """The way from ``source`` to ``target``. Get it from ``Network.link`` or ``Network.links``.

    What a method here does is done when it returns; the tasks concerned run later.

    Attributes:
        source: the host whose messages it carries.
        target: the host they go to.
        name: the hosts' names, ``client->server``; the label of the draws about this link.
    """

    def __init__(self, network: Network, source: Host, target: Host) -> None:
        self.source = source
        self.target = target
        self._network = network
        self._plan: LinkPlan | None = None
        self._is_held = False
        self._is_cut = False
        self._queue: list[Message] = []
        self._lost_updates: list[Callable[[], object]] = []
        self.name = f"{source.name}->{target.name}"
        self._wire = Wire(f"link {self.name}")

    @property
    def back(self) -> Link:
        """The link in the other direction."""
        return self._network.link(self.target.name, self.source.name)

    @property
    def plan(self) -> LinkPlan:
        """What may happen here by itself; the network's plan unless set."""
        return self._network.plan if self._plan is None else self._plan

    @plan.setter
    def plan(self, plan: LinkPlan | None) -> None:
        touch_everything()
        self._plan = plan

    @property
    def in_flight(self) -> tuple[Message, ...]:
        """The messages that have been sent and have not arrived, in the order they would."""
        touch_everything()
        return tuple(self._queue)

    @property
    def is_held(self) -> bool:
        """Whether `hold` is in force."""
        return self._is_held

    @property
    def is_partitioned(self) -> bool:
        """Whether `partition` is in force."""
        return self._is_cut

    def __repr__(self) -> str:
        state = ("held, " if self._is_held else "") + ("partitioned, " if self._is_cut else "")
        return f"<Link {self.name}, {state}{len(self._queue)} in flight>"

    # -- what a test may do --------------------------------------------------------------------

    def hold(self) -> None:
        """Let nothing arrive until `release`: messages stay in flight and can be looked at."""
        touch_everything()
        self._is_held = True

    def release(self, count: int | None = None) -> None:
        """Let what was held arrive.

        Args:
            count: only so many messages arrive, the oldest, and the rest stay held; None ends the
                hold.

        Raises:
            ValueError: ``count`` is negative.
        """
        touch_everything()
        if count is None:
            self._is_held = False
            self.pump()
            return
        if count < 0:
            raise ValueError(f"cannot release {count} messages")
        for message in self._queue[: 0 if self.is_lost else count]:
            self._queue.remove(message)
            message.arrive()

    def stall(self, seconds: float) -> None:
        """Hold this link for ``seconds`` of virtual time."""
        self.hold()
        self._network.call_at(self._network.now_s + seconds, self.release)

    def partition(self) -> None:
        """Lose everything in this direction until `heal`; the other direction is not touched.

        Senders notice nothing until their buffers are full, connecting fails with ``ETIMEDOUT``
        after 127 s, and data that cannot arrive for 924.6 s breaks its connection.
        """
        touch_everything()
        self._network.note("partition", self)
        self._is_cut = True
        for message in self._queue:
            self._start_giving_up(message)

    def heal(self) -> None:
        """End the partition; what was lost is sent again and arrives."""
        touch_everything()
        self._network.note("heal", self)
        self._is_cut = False
        self.pump()

    def reset(self) -> int:
        """Reset every connection over this link: both ends see it at once. Return how many."""
        ends = self.connections()
        for end in ends:
            self._network.note("reset", self)
            end.reset_both()
        return len(ends)

    def half_close(self) -> int:
        """End the stream in this direction of every connection: ``target`` reads the end.

        As if the sender had called ``send_eof``. Return how many connections that were.
        """
        ends = [end for end in self.connections() if not end.sent_fin]
        for end in ends:
            self._network.note("half-close", self)
            end.send_fin()
        return len(ends)

    def connections(self) -> list[Endpoint]:
        """Return the sending ends of the connections over this link, oldest first."""
        touch_everything()
        return [end for end in self.source.endpoints() if end.link is self and end.is_connected]

    # -- what connections do -------------------------------------------------------------------

    @property
    def is_lost(self) -> bool:
        """Whether nothing can arrive: partitioned, or the target is down."""
        return self._is_cut or self.target.is_down

    def latency_s(self) -> float:
        """Draw how long the next message takes."""
        return self._network.choose("latency", f"{self.name} latency", self.plan.latency_s)

    def carry(self, message: Message) -> None:
        """Let ``message`` arrive when it is due, which may be within this call."""
        now_s = self._network.now_s
        is_first = not self._queue or self._queue[0].due_s > now_s
        # What is due and still waiting may be of the same connection: it must not be overtaken.
        if message.due_s <= now_s and is_first and not self._is_held and not self.is_lost:
            message.arrive()
            return
        self._wire.touch()
        insort(self._queue, message, key=_order)
        if self.is_lost:
            self._start_giving_up(message)
        elif not self._is_held:
            self._network.call_at(message.due_s, self.pump)

    def pump(self) -> None:
        """Let everything arrive that is due and not kept."""
        self._wire.touch()
        while self._queue and not self._is_held and not self.is_lost:
            if self._queue[0].due_s > self._network.now_s:
                self._network.call_at(self._queue[0].due_s, self.pump)
                return
            self._queue.pop(0).arrive()
        while self._lost_updates and not self.is_lost:
            self._lost_updates.pop(0)()

    def update_window(self, update: Callable[[], object]) -> None:
        """Tell the other end how much was read; a lost update comes after the heal."""
        if self.is_lost:
            self._lost_updates.append(update)
        else:
            update()

    def _start_giving_up(self, message: Message) -> None:
        wait_s = CONNECT_TIMEOUT_S if message.kind in ("syn", "syn-ack") else RETRANSMIT_TIMEOUT_S

        def check() -> None:
            if self.is_lost and message in self._queue:
                self._queue.remove(message)
                message.give_up(errno.ETIMEDOUT)

        self._network.call_at(self._network.now_s + wait_s, check)
