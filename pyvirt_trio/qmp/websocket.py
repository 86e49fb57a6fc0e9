"""A WebSocket as a byte stream, so that QMP can pass where only HTTP can.

Both ends agree that messages are chunks of one byte stream: where a message begins or ends means
nothing, and one QMP line may take several. QEMU's own WebSocket chardev did not answer commands in
binary frames when tried (7.2), so put this between a client and a relay or daemon of ours.
"""

from __future__ import annotations

from typing import Final

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from pyvirt_trio.qmp.limits import CLOSE_GRACE_S

MAX_SEND_BYTES: Final = 64 * 1024
"""Longest message we send; small enough for every peer's bound, and beyond it nothing is gained."""

MAX_MESSAGE_BYTES: Final = 1024 * 1024
"""Longest message we take: trio-websocket's default bound, kept where it was opened without one."""

_NORMAL_CLOSE: Final = 1000


class WebSocketStream(trio.abc.Stream):
    """Carries bytes in both directions over an open WebSocket, which it owns.

    Sends binary messages; takes binary and text, the latter as UTF-8. A close with code 1000 is
    the end of the stream, any other end is a broken one.

    Args:
        connection: Open, and used by nobody else.
        transport: What the WebSocket runs on, to be closed after it. trio-websocket leaves the
            socket of a client open when the server closes first, and gives no access to it; a
            client that opened the socket itself (``wrap_client_stream``) passes it here.
    """

    def __init__(
        self, connection: WebSocketConnection, transport: trio.abc.AsyncResource | None = None
    ) -> None:
        self._connection = connection
        self._transport = transport
        self._received = b""
        self._is_sending = False
        self._is_receiving = False
        self._is_closed = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Sends all bytes, in messages of at most ``MAX_SEND_BYTES``.

        Raises:
            BrokenResourceError: The connection has ended.
            ClosedResourceError: This side was closed.
            BusyResourceError: Another task is sending.

        Cancellation: an unknown part was sent; only closing makes sense.
        """
        if self._is_sending:
            raise trio.BusyResourceError("another task is sending on this WebSocket")
        self._is_sending = True
        try:
            await trio.lowlevel.checkpoint()
            self._check_open()
            for start in range(0, len(data), MAX_SEND_BYTES):
                await self._connection.send_message(bytes(data[start : start + MAX_SEND_BYTES]))
        except ConnectionClosed as error:
            raise self._broken() from error
        finally:
            self._is_sending = False

    async def wait_send_all_might_not_block(self) -> None:
        """Returns at once: a WebSocket does not tell. The errors are those of `send_all`."""
        if self._is_sending:
            raise trio.BusyResourceError("another task is sending on this WebSocket")
        await trio.lowlevel.checkpoint()
        self._check_open()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Returns the next bytes, or none at the end of the stream.

        Args:
            max_bytes: At most so many; the rest of a message waits for the next call.

        Raises:
            BrokenResourceError: The connection broke, or a message is over ``MAX_MESSAGE_BYTES``.
            ClosedResourceError: This side was closed.
            BusyResourceError: Another task is receiving.

        Cancellation: no byte is lost.
        """
        if max_bytes is not None and max_bytes < 1:
            raise ValueError("max_bytes must be at least 1")
        if self._is_receiving:
            raise trio.BusyResourceError("another task is receiving on this WebSocket")
        self._is_receiving = True
        try:
            await trio.lowlevel.checkpoint()
            self._check_open()
            while not self._received:
                self._received = self._checked(await self._connection.get_message())
        except ConnectionClosed as error:
            if self._is_closed or error.reason is None or error.reason.code != _NORMAL_CLOSE:
                raise self._broken() from error
            return b""
        finally:
            self._is_receiving = False
        end = len(self._received) if max_bytes is None else max_bytes
        data, self._received = self._received[:end], self._received[end:]
        return data

    async def aclose(self) -> None:
        """Closes the WebSocket with a handshake; cancelled, it is closed without.

        A peer that does not read what we sent never answers the handshake, so it is waited for no
        longer than ``CLOSE_GRACE_S``.
        """
        self._is_closed = True
        try:
            with trio.move_on_after(CLOSE_GRACE_S):
                await self._connection.aclose()
        finally:
            if self._transport is not None:
                await self._transport.aclose()

    def _checked(self, message: str | bytes) -> bytes:
        data = message.encode() if isinstance(message, str) else message
        if len(data) > MAX_MESSAGE_BYTES:
            raise trio.BrokenResourceError(f"a message of {len(data)} bytes on the WebSocket")
        return data

    def _check_open(self) -> None:
        if self._is_closed:
            raise trio.ClosedResourceError("this side of the WebSocket was closed")

    def _broken(self) -> trio.BrokenResourceError | trio.ClosedResourceError:
        if self._is_closed:
            return trio.ClosedResourceError("this side of the WebSocket was closed")
        return trio.BrokenResourceError("the WebSocket has ended")
