"""A unix socket connection between the program under test and a simulated QEMU."""

from __future__ import annotations

from collections.abc import Callable

import trio

PIPE_BYTES = 1 << 24
"""Bytes one direction may hold. A real socket holds about 200 kB and then blocks the writer; QEMU
keeps the rest in its own unbounded buffer. 16 MiB is far beyond what a correct reader lets wait."""


class Pipe:
    """One direction of a connection."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._readers = trio.lowlevel.ParkingLot()
        self.is_ended = False

    def put(self, data: bytes) -> None:
        """Add bytes; dropped when the connection has ended."""
        if self.is_ended:
            return
        assert len(self._data) + len(data) <= PIPE_BYTES, "the reader has stopped reading"
        self._data += data
        self._readers.unpark_all()

    def end(self) -> None:
        """No more bytes will come; those that are here can still be read."""
        self.is_ended = True
        self._readers.unpark_all()

    async def get(self, limit: int) -> bytes:
        """Up to ``limit`` bytes, ``b""`` at the end; waits for the first one."""
        while not self._data and not self.is_ended:
            await self._readers.park()
        data = bytes(self._data[:limit])
        del self._data[:limit]
        return data


class ClientEnd(trio.abc.Stream):
    """The end that the program under test has.

    Args:
        incoming: What QEMU sends.
        outgoing: What QEMU receives.
        read_limit: How many bytes the next read may give; a short read is a fault site.
        forget: Called once, when it is closed.
        sent: Called when something has been sent.
    """

    def __init__(
        self,
        incoming: Pipe,
        outgoing: Pipe,
        read_limit: Callable[[], int],
        forget: Callable[[ClientEnd], None],
        sent: Callable[[str], None],
    ) -> None:
        self._sent = sent
        self._incoming = incoming
        self._outgoing = outgoing
        self._read_limit = read_limit
        self._forget = forget
        self._is_closed = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all bytes; never waits."""
        await trio.lowlevel.checkpoint()
        self._require_open()
        if self._outgoing.is_ended:
            raise trio.BrokenResourceError("Broken pipe")
        self._outgoing.put(bytes(data))
        self._sent("send to a monitor")

    async def wait_send_all_might_not_block(self) -> None:
        """Return at once: sending never waits."""
        await trio.lowlevel.checkpoint()
        self._require_open()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Some bytes, ``b""`` at the end."""
        await trio.lowlevel.checkpoint()
        self._require_open()
        limit = self._read_limit()
        data = await self._incoming.get(limit if max_bytes is None else min(limit, max_bytes))
        self._require_open()
        return data

    async def aclose(self) -> None:
        """Close both directions; a task that reads here is told."""
        self.break_off()
        await trio.lowlevel.checkpoint()

    def break_off(self) -> None:
        """Close both directions, as the kernel does for a process that has ended."""
        if not self._is_closed:
            self._is_closed = True
            self._incoming.end()
            self._outgoing.end()
            self._forget(self)

    def _require_open(self) -> None:
        if self._is_closed:
            raise trio.ClosedResourceError("this end was closed")


class ServerEnd:
    """QEMU's end; implements `MonitorStream`."""

    def __init__(self, incoming: Pipe, outgoing: Pipe) -> None:
        self._incoming = incoming
        self._outgoing = outgoing

    async def receive_some(self, max_bytes: int | None = None, /) -> bytes:
        """Bytes of the client, ``b""`` when it has closed its end."""
        await trio.lowlevel.checkpoint()
        return await self._incoming.get(PIPE_BYTES if max_bytes is None else max_bytes)

    def send_nowait(self, data: bytes, /) -> None:
        """Queue bytes for the client."""
        self._outgoing.put(data)

    def close_nowait(self) -> None:
        """Close both directions."""
        self._incoming.end()
        self._outgoing.end()


def open_connection(
    read_limit: Callable[[], int],
    forget: Callable[[ClientEnd], None],
    sent: Callable[[str], None],
) -> tuple[ClientEnd, ServerEnd]:
    """A new connection and its two ends; see `ClientEnd` for the arguments."""
    to_client, to_server = Pipe(), Pipe()
    client = ClientEnd(to_client, to_server, read_limit, forget, sent)
    return client, ServerEnd(to_server, to_client)
