"""JSON-RPC 2.0, one message per line, and this library's errors and events in it."""

from __future__ import annotations

import enum
import json
import uuid
from typing import Any, cast

import attrs

from pyvirt_trio import errors
from pyvirt_trio.errors import ErrorCode, PyvirtError, RemoteProtocolError
from pyvirt_trio.models.event_filter import virsh_name
from pyvirt_trio.models.events import Record

MAX_LINE_BYTES = 4 << 20
"""A line carries at most one domain document, which the XML layer bounds at 1 MiB; JSON may write
each of its characters as two or more."""

METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
"""JSON-RPC's own numbers. Errors of the library have libvirt's numbers, which are positive."""


class Lines:
    """Cuts a stream of bytes into lines."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that ``data`` completes.

        Raises:
            RemoteProtocolError: A line is longer than `MAX_LINE_BYTES`.
        """
        self._data += data
        *lines, rest = self._data.split(b"\n")
        self._data = rest
        if len(rest) > MAX_LINE_BYTES or any(len(line) > MAX_LINE_BYTES for line in lines):
            raise RemoteProtocolError(f"a message is longer than {MAX_LINE_BYTES} bytes")
        return [bytes(line) for line in lines if line.strip()]


def encode(message: dict[str, Any]) -> bytes:
    """One message as a line."""
    return json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """The message in a line.

    Raises:
        RemoteProtocolError: It is not a JSON object.
    """
    try:
        message: object = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"a message is not JSON: {error}") from error
    if not isinstance(message, dict):
        raise RemoteProtocolError("a message is not a JSON object")
    return cast("dict[str, Any]", message)


def error_to_json(error: PyvirtError) -> dict[str, Any]:
    """An error as JSON-RPC's ``error`` object."""
    return {
        "code": int(error.code),
        "message": str(error),
        "data": {"type": type(error).__name__, "domain": int(error.domain)},
    }


def error_from_json(value: dict[str, Any]) -> PyvirtError:
    """The exception for an ``error`` object: the class that was raised, with its text and code."""
    name = value.get("data", {}).get("type", "PyvirtError")
    kind = getattr(errors, name, PyvirtError)
    if not (isinstance(kind, type) and issubclass(kind, PyvirtError)):
        kind = PyvirtError
    error: PyvirtError = kind.__new__(kind)  # the text is complete: no class adds to it again
    Exception.__init__(error, value.get("message", "unknown error"))
    code = value.get("code")
    if code in set(ErrorCode):
        error.code = ErrorCode(code)
    return error


def record_to_json(record: Record) -> dict[str, Any]:
    """An event with its number, time, kind and virsh's name; its fields have their own names."""
    event = record.event
    message: dict[str, Any] = {
        "sequence": record.sequence,
        "time_s": record.time_s,
        "kind": type(event).__name__,
        "event": virsh_name(type(event)),
    }
    for field in attrs.fields(type(event)):
        message[field.name] = _plain(getattr(event, field.name))
    return message


def _plain(value: object) -> object:
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, enum.Flag):
        return [str(one.name).lower() for one in type(value) if one.value and one in value]
    return value.name.lower() if isinstance(value, enum.Enum) else value
