"""An open socket: what all descriptors of it share, as the kernel's open file description."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import trio
from outcome import Error

from pyvirt_sim.engine.net.endpoint import Endpoint
from pyvirt_sim.engine.net.listening import Listening
from pyvirt_sim.engine.net.options import Options

if TYPE_CHECKING:
    from pyvirt_sim.engine.net.host import Address, Host
    from pyvirt_sim.engine.net.ports import IPAddress

__all__ = ["OpenSocket"]

Task = trio.lowlevel.Task


class OpenSocket:
    """The socket behind one or more descriptors.

    Attributes:
        host: where it was made.
        number: unique within the network, in the order of making.
        local: its address once bound.
        listening: set once it listens.
        endpoint: set once it is connected, or is being connected.
        numbers: the descriptors that hold it open.
    """

    def __init__(self, host: Host, family: int, kind: int, protocol: int) -> None:
        self.host = host
        self.family = socket.AddressFamily(family)
        self.kind = socket.SocketKind(kind)
        self.protocol = protocol
        self.number = host.network.next_number()
        self.options = Options(self.family, self.kind, protocol)
        self.local: Address | None = None
        self.listening: Listening | None = None
        self.endpoint: Endpoint | None = None
        self.numbers: list[int] = []
        self._readers: dict[int, Task] = {}
        self._writers: dict[int, Task] = {}
        host.add_socket(self)

    @property
    def ip_address(self) -> IPAddress | None:
        """Its address, if it is bound and not a Unix socket."""
        return None if self.family == socket.AF_UNIX else self.local

    @property
    def send_buffer_bytes(self) -> int:
        """How much may be sent ahead of the other end's buffer."""
        return self.options.get(socket.SOL_SOCKET, socket.SO_SNDBUF)

    @property
    def receive_buffer_bytes(self) -> int:
        """How much is kept for the reader."""
        return self.options.get(socket.SOL_SOCKET, socket.SO_RCVBUF)

    @property
    def reuses_address(self) -> bool:
        """SO_REUSEADDR."""
        return bool(self.options.get(socket.SOL_SOCKET, socket.SO_REUSEADDR))

    @property
    def reuses_port(self) -> bool:
        """SO_REUSEPORT."""
        return bool(self.options.get(socket.SOL_SOCKET, socket.SO_REUSEPORT))

    @property
    def is_ipv6_only(self) -> bool:
        """IPV6_V6ONLY."""
        if self.family != socket.AF_INET6:
            return False
        return bool(self.options.get(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))

    @property
    def is_readable(self) -> bool:
        """Whether reading or accepting would not block."""
        if self.listening is not None:
            return self.listening.is_readable
        # Linux: a socket that is neither connected nor listening reports a hang-up.
        return self.endpoint is None or self.endpoint.is_readable

    @property
    def is_writable(self) -> bool:
        """Whether writing would not block."""
        if self.listening is not None:
            return False
        return self.endpoint is None or self.endpoint.is_writable

    def touch(self) -> None:
        """The running step uses this socket."""
        (self.host if self.endpoint is None else self.endpoint).wire.touch()

    # -- waiting, as epoll would ---------------------------------------------------------------

    async def wait_readable(self, number: int) -> None:
        """Wait, for the descriptor ``number``, until reading or accepting would not block."""
        await self._wait(self._readers, number, "reading from", is_ready=self.is_readable)

    async def wait_writable(self, number: int) -> None:
        """Wait until writing would not block, or until connecting is decided."""
        await self._wait(self._writers, number, "writing to", is_ready=self.is_writable)

    async def _wait(
        self, waiting: dict[int, Task], number: int, doing: str, *, is_ready: bool
    ) -> None:
        self.touch()
        if number in waiting:
            raise trio.BusyResourceError(f"another task is already {doing} this fd")
        if is_ready:
            await trio.lowlevel.checkpoint()
            return
        waiting[number] = trio.lowlevel.current_task()

        def abort(_: object) -> trio.lowlevel.Abort:
            self.touch()
            del waiting[number]
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    def wake_readers(self) -> None:
        """Something can be read or accepted."""
        _wake_all(self._readers)

    def wake_writers(self) -> None:
        """Something can be written, or the connection has been made or refused."""
        _wake_all(self._writers)

    def notify_closing(self, number: int) -> None:
        """Tell who waits that the descriptor ``number`` is being closed."""
        self.touch()
        for waiting in (self._readers, self._writers):
            task = waiting.pop(number, None)
            if task is not None:
                error = trio.ClosedResourceError("another task closed this fd")
                trio.lowlevel.reschedule(task, Error(error))

    def awaited(self) -> tuple[str, str, OpenSocket | None]:
        """Return what a task that is blocked here waits for, as reports say it.

        Returns:
            What it waits for; how others relate to that, empty if anybody may; their socket.
        """
        end = self.endpoint
        if end is None or end.peer is None:
            return f"a connection to {self.host.label(self.local)}", "", None
        peer = end.peer
        if not end.is_connected:
            return f"an answer from {peer.label}", "", None
        if self._readers:
            return f"data from {peer.label}{_on_its_way(peer)}", "could be sent by", peer.owner
        return f"room to send to {peer.label}", "could be read by", peer.owner

    # -- ending --------------------------------------------------------------------------------

    def release(self, number: int) -> None:
        """The descriptor ``number`` is closed; the last one closes the socket."""
        self.touch()
        self.numbers.remove(number)
        if not self.numbers:
            self._close()

    def _close(self) -> None:
        self.host.forget_socket(self)
        if self.listening is not None:
            listening, self.listening = self.listening, None
            listening.close()
        if self.endpoint is not None:
            self.endpoint.close(abort=self.options.resets_on_close)

    def vanish(self, *, silent: bool) -> None:
        """The machine crashed: every descriptor is dead."""
        self.host.forget_socket(self)
        if self.listening is not None:
            self.listening.vanish(silent=silent)
            self.listening = None
        for number in self.numbers:
            self.host.network.forget_descriptor(number)
            self.notify_closing(number)
        self.numbers.clear()


def _on_its_way(sender: Endpoint) -> str:
    """Say what ``sender`` has sent that has not arrived, and why not."""
    link = sender.link
    count = sum(message.source == sender.label for message in link.in_flight)
    if not count:
        return ""
    why = "is held" if link.is_held else "cannot arrive" if link.is_lost else "is late"
    return f", of which {count} message{'s' * (count > 1)} {why} on {link.name}"


def _wake_all(waiting: dict[int, Task]) -> None:
    tasks = list(waiting.values())
    waiting.clear()
    for task in tasks:
        trio.lowlevel.reschedule(task)
