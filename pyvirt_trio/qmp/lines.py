"""Bytes into JSON objects, one per line, within bounds.

The lowest layer of QMP: QEMU ends each message with CR LF and never breaks a message over lines
(a monitor made with ``pretty=on`` does, and is refused). This module knows lines and JSON, not QMP.
"""

from __future__ import annotations

import json
import math
import re
from itertools import accumulate
from typing import Any, Final, NoReturn, TypeGuard

from pyvirt_trio.errors import RemoteProtocolError
from pyvirt_trio.qmp.limits import MAX_LINE_BYTES, MAX_NESTING

_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?')
_NOT_BRACKETS: Final = bytes(code for code in range(256) if code not in b"{}[]")
_DEPTH_CHANGE: Final = {ord("{"): 1, ord("["): 1, ord("}"): -1, ord("]"): -1}
_SHOWN_BYTES: Final = 60


class LineSplitter:
    """Cuts a byte stream into lines and never holds more than ``MAX_LINE_BYTES``."""

    def __init__(self) -> None:
        self._partial = bytearray()

    @property
    def buffered_bytes(self) -> int:
        """Length of the line whose end has not arrived."""
        return len(self._partial)

    def split(self, data: bytes | bytearray) -> list[bytes]:
        """Takes in bytes and returns the lines that are now complete, without their line feed.

        A line that is too long is returned as far as it came: whoever decodes it refuses it by its
        length, after the lines before it.
        """
        *lines, rest = bytes(data).split(b"\n")
        if lines and self._partial:
            lines[0] = bytes(self._partial) + lines[0]
            self._partial.clear()
        self._partial += rest
        if len(self._partial) > MAX_LINE_BYTES:
            lines.append(bytes(self._partial))
            self._partial.clear()
        return lines


def decode_line(line: bytes) -> dict[str, Any] | None:
    """Returns the JSON object on a line, or None for an empty line.

    Raises:
        RemoteProtocolError: Too long, too deep, not UTF-8, not JSON, or not an object.
    """
    if len(line) > MAX_LINE_BYTES:
        raise RemoteProtocolError(f"a line of the monitor is longer than {MAX_LINE_BYTES} bytes")
    if nesting_exceeds(line, MAX_NESTING):
        raise RemoteProtocolError(f"a message nests deeper than {MAX_NESTING} levels")
    try:
        text = line.strip(b" \t\r").decode()
        if not text:
            return None
        value, end = _DECODER.raw_decode(text)
        if "\\ud" in text or "\\uD" in text:
            _ENCODER.encode(value).encode()  # half a surrogate pair is no character, and raises
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"{shown(line)} is not JSON: {error}") from error
    if end != len(text):
        raise RemoteProtocolError(f"{shown(line)} goes on after the end of the message")
    if not is_object(value):
        raise RemoteProtocolError(f"{shown(line)} is not a JSON object")
    return value


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a value that was read from a line is a JSON object."""
    return type(value) is dict


def encode_line(value: dict[str, Any]) -> bytes:
    """Returns a JSON object as one line, as compact as JSON can be.

    Raises:
        TypeError: Something in it has no JSON form.
        ValueError: A number is not finite, a text holds half a surrogate pair, or the line would be
            longer or deeper than QEMU takes.
    """
    try:
        line = _ENCODER.encode(value).encode() + b"\n"
    except RecursionError as error:
        raise ValueError("the arguments nest too deep to be sent") from error
    if len(line) > MAX_LINE_BYTES:
        raise ValueError(f"a command of {len(line)} bytes is over the bound of {MAX_LINE_BYTES}")
    if nesting_exceeds(line, MAX_NESTING):
        raise ValueError(f"the arguments nest deeper than {MAX_NESTING} levels")
    return line


def nesting_exceeds(line: bytes, limit: int) -> bool:
    """Whether arrays and objects on the line are nested deeper than the limit.

    Looked at before parsing, because a parser that recurses finds out by exhausting the stack.
    """
    if len(line) <= limit or line.count(b"{") + line.count(b"[") <= limit:
        return False
    brackets = _STRING.sub(b"", line).translate(None, _NOT_BRACKETS)
    return max(accumulate(map(_DEPTH_CHANGE.__getitem__, brackets)), default=0) > limit


def shown(line: bytes) -> str:
    """The beginning of a line, as an error message may quote it."""
    return repr(line[:_SHOWN_BYTES]) + ("..." if len(line) > _SHOWN_BYTES else "")


def _refuse_constant(name: str) -> NoReturn:
    """Refuses NaN and the infinities, which Python reads and JSON does not know."""
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    """Reads a number; one too large for a double would silently become infinite."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
