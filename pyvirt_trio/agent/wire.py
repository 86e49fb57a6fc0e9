"""What QEMU's guest agent (``qemu-ga``) says, as bytes in and messages out; no waiting, no Trio.

The agent speaks QMP's JSON without a greeting, over a serial line that outlives both ends: bytes of
an earlier call, of an earlier connection or of an agent that died may come at any time, and half a
request may still be in the agent's parser. Hence two rules.

1. Nothing is believed before a *sync*. The client sends a byte 0xFF, which is in no JSON text and
   makes the agent's parser forget what it has; then ``guest-sync-delimited`` with a number. The
   agent answers with 0xFF and that number. Everything before that answer is thrown away, unread.
2. One request at a time. Each carries an id, which the agent repeats; an answer with another id is
   stale, and is thrown away. (An agent older than 5.0 repeats no ids: its answer is ours, by 1.)

A request whose caller has given up leaves the line out of sync, and the next call begins with 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from pyvirt_trio.errors import RemoteProtocolError
from pyvirt_trio.models.value import Value
from pyvirt_trio.qmp.lines import decode_line, encode_line, is_object

DELIMITER: Final = b"\xff"

MAX_REPLY_BYTES: Final = 10 * 1024 * 1024
"""Longest answer, and libvirt's bound for it (``QEMU_AGENT_MAX_RESPONSE``). The guest decides what
it sends, so whatever is longer is dropped as it comes."""


@attrs.frozen(eq=False, repr=False)
class Synced(Value):
    """The agent has answered the latest sync: what comes next answers what is sent next."""


@attrs.frozen(eq=False, repr=False)
class Answer(Value):
    """The request has succeeded, with this value."""

    value: Any


@attrs.frozen(eq=False, repr=False)
class Refusal(Value):
    """The agent has refused the request.

    Args:
        error_class: Its class, such as ``CommandNotFound``.
        description: Its words.
    """

    error_class: str
    description: str


Message = Synced | Answer | Refusal


class AgentWire:
    """One connection to an agent. Send what the methods return; feed what arrives."""

    def __init__(self) -> None:
        self._number = 0
        self._buffer = bytearray()
        self._awaited_sync: int | None = None
        self._is_skipping = True
        self._request: int | None = None

    @property
    def is_in_sync(self) -> bool:
        """Whether the next request can be sent."""
        return not self._is_skipping and self._awaited_sync is None and self._request is None

    def begin_sync(self) -> bytes:
        """The bytes that ask for a sync; all that came before, and its answers, are void."""
        self._number += 1
        self._awaited_sync = self._number
        self._request = None
        self._buffer.clear()
        self._is_skipping = True
        arguments = {"id": self._number}
        ask = {"execute": "guest-sync-delimited", "arguments": arguments, "id": self._number}
        return DELIMITER + encode_line(ask)

    def request(self, command: str, arguments: Mapping[str, Any] | None = None) -> bytes:
        """The bytes of a request.

        Raises:
            TypeError, ValueError: The arguments cannot be sent; nothing has changed.
        """
        assert self.is_in_sync, "a request follows a sync, and the answer to the one before"
        message: dict[str, Any] = {"execute": command}
        if arguments:
            message["arguments"] = dict(arguments)
        data = encode_line({**message, "id": self._number + 1})
        self._number += 1
        self._request = self._number
        return data

    def abandon(self) -> None:
        """Nobody waits for the answer any more; a sync comes next."""
        self._request = None
        self._is_skipping = True
        self._buffer.clear()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that ``data`` completes.

        Raises:
            RemoteProtocolError: What should be the answer is none. A sync comes next.
        """
        if self._is_skipping:
            _, delimiter, data = data.rpartition(DELIMITER)
            if not delimiter or self._awaited_sync is None:
                return []
            self._is_skipping = False
        elif DELIMITER in data:  # another sync's answer cuts off whatever was being said
            self._buffer.clear()
            data = data.rpartition(DELIMITER)[2]
        self._buffer += data
        *lines, rest = self._buffer.split(b"\n")
        self._buffer = rest
        read = (None if self._is_skipping else self._read(bytes(line)) for line in lines)
        found = [message for message in read if message is not None]
        if self._is_skipping:
            self._buffer.clear()
        elif len(rest) > MAX_REPLY_BYTES:
            self._refuse(RemoteProtocolError(f"an answer is over {MAX_REPLY_BYTES} bytes"))
        return found

    def _refuse(self, error: RemoteProtocolError) -> None:
        """Noise: to be skipped while a sync is awaited, an offence when an answer is."""
        is_noise = self._awaited_sync is not None
        self.abandon()
        if not is_noise:
            raise error

    def _read(self, line: bytes) -> Message | None:
        try:
            message = decode_line(line)
        except RemoteProtocolError as error:
            self._refuse(error)
            return None
        if message is None:
            return None
        if self._awaited_sync is not None:
            return self._read_sync(message)
        return self._read_answer(message)

    def _read_sync(self, message: dict[str, Any]) -> Message | None:
        answer = message.get("return")
        if type(answer) is not int or answer != self._awaited_sync:
            self._is_skipping = True  # the answer to an earlier sync: wait for the next delimiter
            return None
        self._awaited_sync = None
        return Synced()

    def _read_answer(self, message: dict[str, Any]) -> Message | None:
        if self._request is None or message.get("id", self._request) != self._request:
            return None
        self._request = None
        if "return" in message:
            return Answer(message["return"])
        error = message.get("error")
        if not is_object(error):
            raise RemoteProtocolError("an answer has neither a return nor an error")
        return Refusal(str(error.get("class", "")), str(error.get("desc", "")))
