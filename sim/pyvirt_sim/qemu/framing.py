"""Finding the JSON values in a stream of bytes, as QEMU does: by brackets, not by lines."""

from __future__ import annotations

from typing import Final

from pyvirt_sim.gaps import ModelGapError

# QEMU's limit on one message (MAX_TOKEN_SIZE); beyond it QEMU answers with an error of its own.
MAX_MESSAGE_BYTES: Final = 64 << 20

_SPACE: Final = b" \t\r\n"
_OPEN: Final = b"{["
_CLOSE: Final = b"}]"
_QUOTE: Final = 0x22
_BACKSLASH: Final = 0x5C


class JsonSplitter:
    """Collects bytes and gives back each complete top-level value."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._position = 0
        self._depth = 0
        self._in_string = False
        self._is_escaped = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take more bytes.

        Returns:
            The top-level objects and arrays that are now complete; they may be malformed inside.

        Raises:
            ModelGapError: Neither an object nor an array, or a message above QEMU's limit.
        """
        self._buffer += data
        if len(self._buffer) > MAX_MESSAGE_BYTES:
            raise ModelGapError("QEMU's answer to a message above 64 MiB is not modelled")
        values: list[bytes] = []
        while self._position < len(self._buffer):
            byte = self._buffer[self._position]
            self._position += 1
            if self._step(byte):
                values.append(bytes(self._buffer[: self._position]))
                del self._buffer[: self._position]
                self._position = 0
        return values

    def _step(self, byte: int) -> bool:
        """Take one byte. Whether a top-level value ends with it."""
        if self._in_string:
            self._step_in_string(byte)
        elif byte in _OPEN:
            self._depth += 1
        elif byte in _CLOSE and self._depth:
            self._depth -= 1
            return self._depth == 0
        elif self._depth == 0 and byte not in _SPACE:
            raise ModelGapError(f"QEMU's answer to a stray {chr(byte)!r} is not modelled")
        elif byte == _QUOTE:
            self._in_string = True
        return False

    def _step_in_string(self, byte: int) -> None:
        if self._is_escaped:
            self._is_escaped = False
        elif byte == _BACKSLASH:
            self._is_escaped = True
        elif byte == _QUOTE:
            self._in_string = False
