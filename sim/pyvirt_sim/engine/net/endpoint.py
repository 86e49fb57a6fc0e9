"""One end of a connection: what the kernel knows about it, without Trio.

The rules are Linux's, and the conformance tests hold them to a real kernel:

* What arrived is read before the end or an error is reported.
* A pending error is reported once, by whichever call comes first.
* TCP: sending to an end that was closed succeeds once; the answer is a reset, and from then on
  sending fails with EPIPE. Closing with unread data resets instead of ending.
* Unix: sending to an end that was closed fails with EPIPE at once.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from pyvirt_sim.engine.net.link import Link, Message

if TYPE_CHECKING:
    from pyvirt_sim.engine.net.host import Address, Host
    from pyvirt_sim.engine.net.listening import Listening
    from pyvirt_sim.engine.net.opensocket import OpenSocket
    from pyvirt_sim.engine.net.wire import Wire

__all__ = ["Endpoint", "os_error"]


class Endpoint:
    """One end of a stream connection.

    Attributes:
        host: where it lives.
        local: its address.
        remote: the other end's address.
        is_local: a Unix socket or a socket pair, which no network can reset.
        link: the link its messages take.
        wire: the connection, as steps have it in common.
        peer: the other end, once known.
        owner: the open socket in front of it; None before ``accept`` and after ``close``.
        listening: where it waits to be accepted, if it came in.
        is_reported: ``connect`` has told that it worked.
        sent_fin: nothing more will be sent.
        got_fin: the other end will send nothing more.
        is_reset: the connection is over; nothing moves any more.
        error: an ``errno`` to be reported once, or 0.
    """

    def __init__(self, host: Host, link: Link, wire: Wire, local: Address, remote: Address) -> None:
        self.host = host
        self.link = link
        self.wire = wire
        self.local = local
        self.remote = remote
        self.label = host.label(local)
        self.is_local = False
        self.peer: Endpoint | None = None
        self.owner: OpenSocket | None = None
        self.listening: Listening | None = None
        self.is_connected = False
        self.is_reported = False
        self.is_closed = False
        self.is_gone = False
        self.is_reset = False
        self.is_deaf = False
        self.sent_fin = False
        self.got_fin = False
        self.peer_is_closed = False
        self.error = 0
        self.outstanding_bytes = 0
        self.unread_bytes = 0
        self._unread: deque[bytes] = deque()
        self._last_due_s = 0.0

    # -- what the socket asks ------------------------------------------------------------------

    @property
    def is_readable(self) -> bool:
        """Whether `read` has an answer."""
        if self._unread or self.error or self.is_reset or self.got_fin:
            return True
        return self.is_deaf

    @property
    def is_writable(self) -> bool:
        """Whether `write` has an answer."""
        if self.error or self.is_reset or self.sent_fin or self.peer_is_closed:
            return True
        return self.is_connected and self._free_bytes() > 0

    def take_error(self) -> int:
        """Return the pending error, which is thereby reported."""
        error, self.error = self.error, 0
        return error

    def _free_bytes(self) -> int:
        peer = self.peer
        receive = 0 if peer is None else peer.receive_buffer_bytes()
        send = 0 if self.owner is None else self.owner.send_buffer_bytes
        return send + receive - self.outstanding_bytes

    def receive_buffer_bytes(self) -> int:
        """Return how much this end buffers for its reader."""
        owner = self.owner or (self.listening and self.listening.owner)
        return owner.receive_buffer_bytes if owner else 0

    def read(self, limit: int, *, peek: bool = False) -> bytes:
        """Return up to ``limit`` bytes; empty at the end of the stream.

        Raises:
            BlockingIOError: nothing has arrived yet.
            OSError: the connection broke.
        """
        if self._unread and limit > 0:
            return self._take(self._cut_read(limit), peek=peek)
        if self._unread or self.got_fin:
            self._report_unix_reset()
            return b""
        self._report()
        if self.is_reset or self.is_deaf:
            return b""
        raise BlockingIOError(errno.EAGAIN, "nothing has arrived yet")

    def _report(self) -> None:
        if self.error:
            raise os_error(self.take_error())

    def _report_unix_reset(self) -> None:
        # A TCP end that has been told of the end reports no error to a reader any more.
        if self.is_local and not self._unread:
            self._report()

    def _cut_read(self, limit: int) -> int:
        network, link = self.host.network, self.link.back
        limit = min(limit, self.unread_bytes)
        if not link.plan.join_reads:
            limit = min(limit, len(self._unread[0]))
        if link.plan.split_reads and limit > 1:
            limit = network.draw("latency", f"{link.name} read", limit) or limit
        return limit

    def _take(self, limit: int, *, peek: bool) -> bytes:
        if peek:
            return b"".join(self._unread)[:limit]
        first = self._unread[0]
        if limit == len(first):
            data = self._unread.popleft()
        elif limit < len(first):
            data, self._unread[0] = first[:limit], first[limit:]
        else:
            joined = b"".join(self._unread)
            self._unread.clear()
            data = joined[:limit]
            if limit < len(joined):
                self._unread.append(joined[limit:])
        self.unread_bytes -= limit
        if self.peer is not None and not self.is_reset:
            self.link.update_window(partial(self.peer.window_opens, limit))
        return data

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Send what fits of ``data``; return how much.

        Raises:
            BlockingIOError: the buffers are full.
            BrokenPipeError: this direction has ended, or the connection.
            OSError: the connection broke.
        """
        if not self.is_local:
            self._report()
        if self.sent_fin or self.is_reset or self.peer_is_closed:
            raise os_error(errno.EPIPE)
        free = self._free_bytes()
        if not self.is_connected or (free <= 0 and len(data)):
            raise BlockingIOError(errno.EAGAIN, "the buffers are full")
        with memoryview(data) as view:
            taken = bytes(view[:free])
        if taken:
            self.outstanding_bytes += len(taken)
            self._send_data(taken)
        return len(taken)

    def _send_data(self, data: bytes) -> None:
        """Put ``data`` on the link, whole unless the link's plan has a fault for it."""
        plan, network, name = self.link.plan, self.host.network, self.link.name
        if plan.stall_one_in and network.draw("faults", f"{name} stall", plan.stall_one_in) == 1:
            cut = network.draw("faults", f"{name} stall at byte", len(data))
            if cut:
                self.send("data", data[:cut])
            pause_s = network.choose("faults", f"{name} stall seconds", plan.stall_s)
            self.send("data", data[cut:], pause_s)
            return
        is_cut = plan.reset_one_in and not self.is_local
        if is_cut and network.draw("faults", f"{name} reset", plan.reset_one_in) == 1:
            cut = network.draw("faults", f"{name} reset at byte", len(data))
            if cut:
                self.send("data", data[:cut])
            network.note("reset", self.link)
            self.reset_both()
            return
        self.send("data", data)

    def send(self, kind: str, data: bytes = b"", pause_s: float = 0.0) -> None:
        """Put one message on the link, behind all that this end has sent before."""
        network = self.host.network
        latency_s = pause_s + self.link.latency_s()
        self._last_due_s = max(self._last_due_s, network.now_s + latency_s)
        peer = self.peer
        assert peer is not None
        self.link.carry(
            Message(
                self.label,
                peer.label,
                kind,
                data,
                network.now_s,
                self._last_due_s,
                network.next_number(),
                partial(peer.arrive, kind, data),
                partial(self._give_up, kind),
            )
        )

    def _give_up(self, kind: str, error: int) -> None:
        """A message could not arrive for so long that nobody tries any more."""
        if kind == "syn-ack" and self.listening is not None and self.peer is not None:
            self.is_reset = True
            self.listening.abandon()
            self.peer.fail(error)
        else:
            self.fail(error)

    def send_fin(self) -> None:
        """End this direction of the stream."""
        if self.sent_fin or self.is_reset:
            return
        self.sent_fin = True
        if not self.got_fin and not self.is_local:
            # Who ends first keeps its port busy, so that late segments meet nobody else.
            reuses = self.owner is not None and self.owner.reuses_address
            self.host.ports.linger(self.local, reuses_address=reuses)
        self.send("fin")
        self._wake_writer()

    def stop_reading(self) -> None:
        """Report the end to the reader once what has arrived is read."""
        self.is_deaf = True
        if self.is_local and self.is_connected and not self.is_reset:
            self.send("deaf")
        self._wake_reader()

    def close(self, *, abort: bool = False) -> None:
        """Let go of the connection, as the last ``close`` of its socket does."""
        self.is_closed = True
        self.host.forget_endpoint(self)
        if self.is_reset or not self.is_connected:
            self.is_reset = True
        elif self.is_local:
            self.send("close", b"unread" if self._unread else b"")
            self.is_reset = True
        elif abort or self._unread:
            self.send("rst")
            self.is_reset = True
        else:
            self.send_fin()
        self.owner = None

    def vanish(self, *, silent: bool) -> None:
        """Forget the connection because the machine crashed; tell the other end unless silent."""
        self.wire.touch()
        self.is_gone = True
        if not silent and self.is_connected and not self.is_reset:
            self.send("close", b"unread") if self.is_local else self.send("rst")
        self.is_reset = True
        self.host.forget_endpoint(self)

    # -- what the link brings ------------------------------------------------------------------

    def arrive(self, kind: str, data: bytes) -> None:
        """Take in a message."""
        self.wire.touch()
        if self.is_gone or (self.is_closed and kind in ("data", "syn-ack")):
            self._refuse_late(kind)
        elif not self.is_reset:
            self._take_in(kind, data)

    def _take_in(self, kind: str, data: bytes) -> None:
        if kind == "data":
            self._unread.append(data)
            self.unread_bytes += len(data)
            self._wake_reader()
        elif kind == "fin":
            self.got_fin = True
            self._wake_reader()
        elif kind == "rst":
            self._arrive_reset()
        elif kind == "syn":
            self.host.knock(self)
        elif kind == "syn-ack":
            self.is_connected = True
            self.send("ack")
            self._wake_writer()
        elif kind == "ack":
            self.is_connected = True
            if self.listening is not None:
                self.listening.complete(self)
        elif kind == "deaf":
            self.peer_is_closed = True
            self._wake_writer()
        else:
            self._arrive_close(data)

    def _arrive_reset(self) -> None:
        if self.listening is not None and not self.is_connected:
            self.is_reset = True
            self.listening.abandon()
        elif not self.is_connected:
            self.fail(errno.ECONNREFUSED)
        else:
            self.fail(self._reset_error())

    def _reset_error(self) -> int:
        # Linux: in the state CLOSE_WAIT a reset means that nobody reads what we send.
        half_closed = self.got_fin and not self.sent_fin
        return errno.EPIPE if half_closed else errno.ECONNRESET

    def _arrive_close(self, data: bytes) -> None:
        self.got_fin = self.peer_is_closed = True
        if data:
            self.error = errno.ECONNRESET
        self._wake_reader()
        self._wake_writer()

    def _refuse_late(self, kind: str) -> None:
        if kind != "rst" and self.peer is not None and not self.peer.is_reset:
            self.is_reset = True
            self.send("rst")

    def window_opens(self, count: int) -> None:
        """The other end has read ``count`` bytes."""
        self.wire.touch()
        self.outstanding_bytes -= count
        self._wake_writer()

    def fail(self, error: int) -> None:
        """Break the connection at this end."""
        self.wire.touch()
        if self.is_reset:
            return
        self.is_reset = True
        self.error = error
        self.host.forget_endpoint(self)
        self._wake_reader()
        self._wake_writer()

    def reset_both(self) -> None:
        """Break the connection at both ends at once, with whatever is in flight."""
        for end in (self, self.peer):
            if end is not None and end.is_connected:
                end.fail(end._reset_error())

    def _wake_reader(self) -> None:
        if self.owner is not None:
            self.owner.wake_readers()

    def _wake_writer(self) -> None:
        if self.owner is not None:
            self.owner.wake_writers()


def os_error(number: int) -> OSError:
    """Return the exception for an ``errno``, in the subclass that Python would raise."""
    return OSError(number, os.strerror(number))
