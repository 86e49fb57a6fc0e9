"""QMP without input or output: bytes in, messages out; commands in, bytes out.

Theory of operation
-------------------

A `Connection` is one client's side of one monitor connection. It does no I/O, waits for nothing and
knows no clock, so any program can drive it: a Trio session, a test, a relay. Two rules:

1. Every byte from the peer goes into `Connection.receive_data`, in order. What comes out is a list
   of messages, in the order they stood on the wire, and does not depend on how the bytes were cut.
2. Once the peer has broken the protocol, `Connection.failure` is set and stays. Messages that
   stood before the offence are still returned; nothing after it is ever looked at.

The conversation::

    AWAITING_GREETING --greeting--> GREETED --negotiate()--> NEGOTIATING --reply--> READY
                 any of these --end of stream--> ENDED,  --offence--> FAILED

QEMU greets first; a command sent earlier has crashed some versions. `Connection.negotiate` answers
with ``qmp_capabilities`` and enables ``oob`` wherever it is offered. Only then may commands be
sent. Events are legal everywhere, even before the greeting, and are never taken for an answer.

A request lives in two steps, because a caller may change its mind in between: `Connection.encode`
makes the bytes and the id, and `Connection.begin` says that the first byte is about to be written.
From then on the request is *in flight*, and stays so until its answer has been read, whoever still
wants it. Answers are matched by id: QEMU answers in-band commands in order, but an out-of-band
command (``exec-oob``) may overtake them. An id is used once; an answer to anything that is not in
flight is an offence.

QEMU answers what it cannot parse with an error that has no id. It queues that error like an in-band
command, so with no out-of-band request in flight it belongs to the oldest one. In all other cases
nobody can say whose it is, and the connection fails.

Everything a peer can make us remember is bounded in `pyvirt_trio.qmp.limits`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, Final, TypeAlias, TypeGuard, cast

import attrs

from pyvirt_trio.errors import RemoteProtocolError
from pyvirt_trio.qmp.limits import MAX_IN_BAND_REQUESTS, MAX_OOB_REQUESTS
from pyvirt_trio.qmp.lines import LineSplitter, decode_line, encode_line, is_object
from pyvirt_trio.qmp.messages import ErrorReply, Event, Greeting, Message, Reply

JsonObject: TypeAlias = dict[str, Any]

NEGOTIATION_COMMAND: Final = "qmp_capabilities"
OOB_CAPABILITY: Final = "oob"


class State(enum.Enum):
    """Where the conversation stands; the arrows are in the module's theory of operation."""

    AWAITING_GREETING = "awaiting the greeting"
    GREETED = "greeted"
    NEGOTIATING = "negotiating capabilities"
    READY = "ready for commands"
    ENDED = "ended"
    FAILED = "failed"


@attrs.frozen
class Request:
    """A command, ready to be written.

    Args:
        id: Unique within its connection; counts from 1.
        command: The QMP command.
        is_oob: Whether it is executed out of band.
        data: The line to be written.
    """

    id: int
    command: str
    is_oob: bool
    data: bytes = attrs.field(repr=False)


class Connection:
    """The client's side of one monitor connection.

    Attributes:
        state: Where the conversation stands.
        failure: How the peer broke the protocol, or None.
        greeting: What QEMU said first, or None before that.
        is_oob_enabled: Whether ``encode(..., is_oob=True)`` is allowed.
    """

    def __init__(self) -> None:
        self.state = State.AWAITING_GREETING
        self.failure: RemoteProtocolError | None = None
        self.greeting: Greeting | None = None
        self.is_oob_enabled = False
        self._splitter = LineSplitter()
        self._last_id = 0
        self._in_band: dict[int, Request] = {}
        self._oob: dict[int, Request] = {}

    # ------------------------------------------------------------------------------- sending

    def negotiate(self) -> Request:
        """Returns the request that ends the negotiation; ``oob`` is enabled where offered.

        Raises:
            RuntimeError: There was no greeting yet, or this was called before.
        """
        if self.state is not State.GREETED or self.greeting is None:
            raise RuntimeError(f"cannot negotiate: the connection is {self.state.value}")
        self.state = State.NEGOTIATING
        wants_oob = OOB_CAPABILITY in self.greeting.capabilities
        return self._encode(
            NEGOTIATION_COMMAND, {"enable": [OOB_CAPABILITY]} if wants_oob else None, is_oob=False
        )

    def encode(
        self, command: str, arguments: Mapping[str, Any] | None = None, *, is_oob: bool = False
    ) -> Request:
        """Returns a request with a fresh id. It is not in flight before `begin`.

        Raises:
            TypeError: An argument has no JSON form.
            ValueError: The arguments cannot be sent, or the peer did not offer out-of-band
                execution.
            RuntimeError: The connection is not ready for commands.
        """
        if self.state is not State.READY:
            raise RuntimeError(f"cannot send {command}: the connection is {self.state.value}")
        if is_oob and not self.is_oob_enabled:
            raise ValueError(f"cannot send {command} out of band: this QEMU did not offer it")
        return self._encode(command, arguments, is_oob=is_oob)

    def can_begin(self, *, is_oob: bool) -> bool:
        """Whether one more request of that kind may go in flight."""
        if is_oob:
            return len(self._oob) < MAX_OOB_REQUESTS
        return len(self._in_band) < MAX_IN_BAND_REQUESTS

    def begin(self, request: Request) -> bytes:
        """Puts a request in flight and returns the bytes to write.

        Raises:
            RuntimeError: As many are in flight as QEMU takes (see `can_begin`), or the peer has
                ended or broken the conversation.
        """
        if self.state not in _OPEN or not self.can_begin(is_oob=request.is_oob):
            raise RuntimeError(f"cannot send {request.command} now")
        (self._oob if request.is_oob else self._in_band)[request.id] = request
        return request.data

    def _encode(
        self, command: str, arguments: Mapping[str, Any] | None, *, is_oob: bool
    ) -> Request:
        self._last_id += 1
        message: JsonObject = {"exec-oob" if is_oob else "execute": command, "id": self._last_id}
        if arguments is not None:
            message["arguments"] = arguments
        return Request(self._last_id, command, is_oob, encode_line(message))

    # ----------------------------------------------------------------------------- receiving

    @property
    def in_flight(self) -> int:
        """How many requests wait for their answer."""
        return len(self._in_band) + len(self._oob)

    @property
    def buffered_bytes(self) -> int:
        """How many bytes of an unfinished message are held."""
        return self._splitter.buffered_bytes

    def receive_data(self, data: bytes | bytearray) -> list[Message]:
        """Takes in bytes and returns the messages they complete, in wire order.

        Look at `failure` afterwards: the offence comes after all returned messages.

        Raises:
            RemoteProtocolError: The peer had already broken the protocol before this call.
        """
        if self.failure is not None:
            raise self.failure
        messages: list[Message] = []
        try:
            for line in self._splitter.split(data):
                message = decode_line(line)
                if message is not None:
                    messages.append(self._interpret(message))
        except RemoteProtocolError as offence:
            self._fail(offence)
        return messages

    def receive_eof(self) -> None:
        """Notes the end of the stream.

        Raises:
            RemoteProtocolError: It ended inside a message, or the peer had already broken the
                protocol.
        """
        if self.failure is None and self._splitter.buffered_bytes:
            self._fail(RemoteProtocolError("the monitor closed in the middle of a message"))
        if self.failure is not None:
            raise self.failure
        self.state = State.ENDED

    def _fail(self, offence: RemoteProtocolError) -> None:
        self.failure = offence
        self.state = State.FAILED
        self._splitter = LineSplitter()

    def _interpret(self, message: JsonObject) -> Message:
        if "event" in message:
            return _event(message)
        if "return" in message:
            if "error" in message:
                raise RemoteProtocolError("an answer is both a return and an error")
            request = self._answered(message)
            if self.state is State.NEGOTIATING:
                self._negotiated()
            return Reply(request.id, request.command, message["return"])
        if "error" in message:
            error_class, description = _error(message)
            request = self._answered(message)
            return ErrorReply(request.id, request.command, error_class, description)
        if "QMP" in message:
            return self._greeted(message)
        raise RemoteProtocolError("a message is neither greeting, answer nor event")

    def _answered(self, message: JsonObject) -> Request:
        """Takes the request that a message answers out of flight."""
        if "id" not in message:
            return self._unnamed(message)
        request_id = message["id"]
        # True and 1.0 are equal to 1 in Python, and different ids in QMP.
        if type(request_id) is int:
            request = self._in_band.pop(request_id, None) or self._oob.pop(request_id, None)
            if request is not None:
                return request
        raise RemoteProtocolError(f"an answer to id {request_id!r:.60}, which is not in flight")

    def _unnamed(self, message: JsonObject) -> Request:
        if "error" not in message or self._oob or not self._in_band:
            raise RemoteProtocolError("an answer without id, and no request it could belong to")
        return self._in_band.pop(next(iter(self._in_band)))

    def _negotiated(self) -> None:
        assert self.greeting is not None
        self.is_oob_enabled = OOB_CAPABILITY in self.greeting.capabilities
        self.state = State.READY

    def _greeted(self, message: JsonObject) -> Greeting:
        if self.state is not State.AWAITING_GREETING:
            raise RemoteProtocolError("a second greeting")
        self.greeting = _greeting(message)
        self.state = State.GREETED
        return self.greeting


_OPEN: Final = (State.NEGOTIATING, State.READY)


# ------------------------------------------------------------------------------------ messages


def _event(message: JsonObject) -> Event:
    name, data, timestamp = message["event"], message.get("data", {}), message.get("timestamp")
    if type(name) is not str or not is_object(data) or not is_object(timestamp):
        raise RemoteProtocolError("an event without name, time stamp, or with data not an object")
    seconds, microseconds = timestamp.get("seconds"), timestamp.get("microseconds")
    if type(seconds) is not int or type(microseconds) is not int:
        raise RemoteProtocolError(f"event {name:.60} has a time stamp that is not two integers")
    return Event(name, data, seconds, microseconds)


def _error(message: JsonObject) -> tuple[str, str]:
    error = message["error"]
    if is_object(error):
        error_class, description = error.get("class"), error.get("desc")
        if type(error_class) is str and type(description) is str:
            return error_class, description
    raise RemoteProtocolError("an error answer without class and desc")


def _greeting(message: JsonObject) -> Greeting:
    try:
        greeting = message["QMP"]
        version, capabilities = greeting["version"], greeting["capabilities"]
        numbers = tuple(version["qemu"][part] for part in ("major", "minor", "micro"))
        package = version["package"]
    except (KeyError, TypeError, IndexError) as error:
        raise RemoteProtocolError("a greeting without version or capabilities") from error
    if (
        any(type(number) is not int for number in numbers)
        or type(package) is not str
        or not _is_list_of_text(capabilities)
    ):
        raise RemoteProtocolError("a greeting whose version or capabilities are malformed")
    major, minor, micro = numbers
    return Greeting((major, minor, micro), package, tuple(capabilities))


def _is_list_of_text(value: object) -> TypeGuard[list[str]]:
    if not isinstance(value, list):
        return False
    return all(type(item) is str for item in cast("list[object]", value))
