"""A QMP session on a Trio stream.

`open_session` speaks QMP over any ``trio.abc.Stream``: a unix socket, TCP, TLS, a WebSocket.
Two tasks serve a session. The *reader* hands every message on: an event to the observer, an answer
to the task that waits for it, in wire order. The *writer* sends what waits in the outbox. A task
that calls `QmpSession.execute` leaves its command there and sleeps; it can be cancelled at any
moment without cutting a line in half, and without waiting for a QEMU that does not read. Nearly
always QEMU does read: then a stream that can (`PromptStream`) sends the command at once, and the
writer sleeps on.

What a command has become is decided by one point, the moment it is taken from the outbox:

=============================  =====================================  ========================
at that moment, the command    cancelled                              the connection ends
=============================  =====================================  ========================
has not been taken             forgotten, QEMU never sees it          ``MonitorClosedError``
has been taken                 sent all the same, answer is dropped   ``OutcomeUnknownError``
=============================  =====================================  ========================
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeAlias

import attrs
import outcome
import trio

from pyvirt_trio.abc import PromptStream
from pyvirt_trio.errors import (
    CommandFailedError,
    MonitorClosedError,
    MonitorError,
    OutcomeUnknownError,
    RemoteProtocolError,
)
from pyvirt_trio.qmp.events import EventQueue
from pyvirt_trio.qmp.limits import CLOSE_GRACE_S, MAX_RECEIVE_BYTES
from pyvirt_trio.qmp.messages import ErrorReply, Event, Greeting, Message, Reply
from pyvirt_trio.qmp.wire import Connection, Request

_Entry: TypeAlias = tuple[Request, Callable[[outcome.Outcome[Any]], None]]
"""A request, and who is to be told what has become of it."""


@attrs.frozen
class QmpStatistics:
    """A snapshot of a session, for debugging and monitoring.

    Args:
        commands_waiting: Commands that have not been taken for sending.
        commands_in_flight: Commands whose answer has not come, cancelled ones included.
        events_queued: Events that nobody has read yet; always 0 with an observer.
        bytes_sent: Bytes the stream has accepted.
        bytes_received: Bytes read from the stream.
    """

    commands_waiting: int
    commands_in_flight: int
    events_queued: int
    bytes_sent: int
    bytes_received: int


class QmpSession:
    """A monitor connection that is ready for commands; made by `open_session`."""

    def __init__(
        self, stream: trio.abc.Stream, on_event: Callable[[Event], None] | None, name: str
    ) -> None:
        self.name = name
        self._stream = stream
        self._on_event = on_event
        self._queue = EventQueue()
        self._connection = Connection()
        self._outboxes: tuple[deque[_Entry], deque[_Entry]] = (deque(), deque())
        self._batch: list[Request] = []
        self._unsent = b""
        self._waiting: dict[int, _Entry] = {}
        self._sleeping_writer: trio.lowlevel.Task | None = None
        self._send_failure: MonitorClosedError | None = None
        self._end: MonitorError | None = None
        self._greeted = trio.Event()
        self._ended = trio.Event()
        self._bytes_sent = 0
        self._bytes_received = 0

    def __repr__(self) -> str:
        return f"<QmpSession {self.name}: {self._connection.state.value}>"

    # ------------------------------------------------------------------------ for its users

    @property
    def greeting(self) -> Greeting:
        """What QEMU said first: its version and capabilities."""
        assert self._connection.greeting is not None
        return self._connection.greeting

    @property
    def is_oob_enabled(self) -> bool:
        """Whether commands may be executed out of band."""
        return self._connection.is_oob_enabled

    @property
    def events(self) -> EventQueue:
        """The events of this session, for ``async for``, when it was opened without an observer.

        Raises:
            RuntimeError: The session has an observer, which gets them instead.
        """
        if self._on_event is not None:
            raise RuntimeError(f"the events of {self.name} go to its observer")
        return self._queue

    async def execute(
        self, command: str, arguments: Mapping[str, Any] | None = None, *, oob: bool = False
    ) -> Any:
        """Executes a QMP command and returns what it returned.

        Commands of one session are sent in the order of the calls, and QEMU executes in-band
        commands in that order. Any number of tasks may call; QEMU is given at most eight at a time.

        Args:
            command: QEMU's name of the command, for example ``device_add``.
            arguments: Its arguments, as JSON values.
            oob: Execute it out of band: at once, before commands that were sent earlier.

        Returns:
            The value of the reply, as JSON values. Events that QEMU sent before the reply have been
            seen by the observer, or are in the queue. Many commands only begin something: their
            reply says nothing about its end.

        Raises:
            CommandFailedError: QEMU refused.
            MonitorClosedError: The connection has ended; QEMU has not seen the command.
            OutcomeUnknownError: The command was sent, and the connection ended before the answer.
            TypeError: An argument has no JSON form.
            ValueError: The arguments cannot be sent, or ``oob`` was not offered by this QEMU.

        Cancellation: a command that has not been sent is forgotten. One that has been sent may
        still take effect; its answer is read and dropped.
        """
        if self._end is not None or self._send_failure is not None:
            await trio.lowlevel.checkpoint_if_cancelled()
            raise self._refusal(command)
        return await self._run(self._connection.encode(command, arguments, is_oob=oob))

    async def execute_each(
        self, commands: Sequence[tuple[str, Mapping[str, Any]]]
    ) -> list[outcome.Outcome[Any]]:
        """Executes several QMP commands in their order, without waiting for an answer in between.

        QEMU executes the later ones whatever becomes of the earlier ones.

        Args:
            commands: Names and arguments, as for `execute`.

        Returns:
            What has become of each: the value of its reply, or the error that `execute` would
            raise. All have been answered, or never will be.

        Raises:
            MonitorClosedError: The connection has ended; QEMU has seen none of them.
            TypeError, ValueError: As for `execute`; none of them is sent.

        Cancellation: for each of them as for `execute`.
        """
        if self._end is not None or self._send_failure is not None:
            await trio.lowlevel.checkpoint_if_cancelled()
            raise self._refusal(" and ".join(name for name, _ in commands))
        requests = [self._connection.encode(name, arguments) for name, arguments in commands]
        return await self._run_each(requests)

    async def wait_ended(self) -> MonitorError:
        """Waits until the connection has ended, and returns why.

        All events that came before the end have been handed over by then.

        Returns:
            A `MonitorClosedError` if it was closed by either side, a `RemoteProtocolError` if the
            peer sent what is not QMP.
        """
        await self._ended.wait()
        assert self._end is not None
        return self._end

    def statistics(self) -> QmpStatistics:
        """Returns a snapshot of what this session is doing."""
        return QmpStatistics(
            commands_waiting=len(self._outboxes[False]) + len(self._outboxes[True]),
            commands_in_flight=self._connection.in_flight,
            events_queued=len(self._queue),
            bytes_sent=self._bytes_sent,
            bytes_received=self._bytes_received,
        )

    # ------------------------------------------------------------------------------ requests

    async def _run(self, request: Request) -> Any:
        """Leaves a request in the outbox and sleeps until its outcome is known."""
        outbox = self._outboxes[request.is_oob]
        entry = (request, partial(trio.lowlevel.reschedule, trio.lowlevel.current_task()))
        outbox.append(entry)
        self._send()

        def give_up(_: object) -> trio.lowlevel.Abort:
            # The connection remembers a request that was taken until its answer has come.
            if self._waiting.pop(request.id, None) is None:
                outbox.remove(entry)
            return trio.lowlevel.Abort.SUCCEEDED

        return await trio.lowlevel.wait_task_rescheduled(give_up)

    async def _run_each(self, requests: Sequence[Request]) -> list[outcome.Outcome[Any]]:
        """As `_run`, for several that one task waits for."""
        if not requests:
            await trio.lowlevel.checkpoint()
            return []
        task = trio.lowlevel.current_task()
        found: dict[int, outcome.Outcome[Any]] = {}

        def tell(number: int, what: outcome.Outcome[Any]) -> None:
            found[number] = what
            if len(found) == len(requests):
                trio.lowlevel.reschedule(task)

        entries = [(request, partial(tell, request.id)) for request in requests]
        self._outboxes[False].extend(entries)
        self._send()

        def give_up(_: object) -> trio.lowlevel.Abort:
            for entry in entries:
                number = entry[0].id
                if self._waiting.pop(number, None) is None and number not in found:
                    self._outboxes[False].remove(entry)
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(give_up)
        return [found[request.id] for request in requests]

    async def start(self, nursery: trio.Nursery) -> None:
        """Starts the tasks, waits for the greeting and enters command mode; for `open_session`."""
        nursery.start_soon(self._read, name=f"{self.name}: reader")
        nursery.start_soon(self._write, name=f"{self.name}: writer")
        await self._greeted.wait()
        if self._end is not None:
            await trio.lowlevel.checkpoint_if_cancelled()  # which then was the reason
            raise self._end
        try:
            await self._run(self._connection.negotiate())
        except OutcomeUnknownError:
            raise self._cause from None

    # -------------------------------------------------------------------------------- writer

    def _send(self) -> None:
        """Sends what is in the outboxes: at once what the stream takes so, the writer the rest."""
        if self._sleeping_writer is None:
            return  # it is at work, and looks into them when it is done
        if isinstance(self._stream, PromptStream):
            self._take()
            # Of a failure the writer tells: whoever calls here does not sleep yet.
            with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                self._sent(self._stream.send_nowait(self._unsent))
            if not self._unsent:
                return
        trio.lowlevel.reschedule(self._sleeping_writer)
        self._sleeping_writer = None

    async def _write(self) -> None:
        """Sends what is in the outboxes, as far as QEMU takes it, until the connection ends."""
        while True:
            if not self._unsent:
                self._take()
            if not self._unsent:
                self._sleeping_writer = trio.lowlevel.current_task()
                await trio.lowlevel.wait_task_rescheduled(self._writer_cancelled)
                continue
            try:
                await self._stream.send_all(self._unsent)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                self._sending_failed(error)
                return
            self._sent(len(self._unsent))

    def _sent(self, count: int) -> None:
        self._bytes_sent += count
        self._unsent = self._unsent[count:]

    def _writer_cancelled(self, _: object) -> trio.lowlevel.Abort:
        self._sleeping_writer = None
        return trio.lowlevel.Abort.SUCCEEDED

    def _take(self) -> None:
        """Takes from the outboxes what may go now; from here on it may take effect."""
        self._batch = []
        for is_oob in (True, False):
            outbox = self._outboxes[is_oob]
            while outbox and self._connection.can_begin(is_oob=is_oob):
                entry = outbox.popleft()
                self._connection.begin(entry[0])
                self._waiting[entry[0].id] = entry
                self._batch.append(entry[0])
        self._unsent = b"".join([request.data for request in self._batch])

    def _sending_failed(self, error: Exception) -> None:
        """Gives up sending. What was sent before may still be answered, so reading goes on."""
        self._send_failure = MonitorClosedError(f"{self.name}: cannot send: {error}")
        self._send_failure.__cause__ = error
        for request in self._batch:
            self._lose(request, self._send_failure)
        self._refuse_outboxes()

    def _lose(self, request: Request, cause: MonitorError) -> None:
        """Tells whoever waits for a request that its answer can no longer arrive."""
        entry = self._waiting.pop(request.id, None)
        if entry is not None:
            error = OutcomeUnknownError(
                f"{self.name}: {request.command} was sent, but {cause}",
                settled_by="a query on a new connection",
            )
            error.__cause__ = cause
            entry[1](outcome.Error(error))

    def _refuse_outboxes(self) -> None:
        for outbox in self._outboxes:
            for request, tell in outbox:
                tell(outcome.Error(self._refusal(request.command)))
            outbox.clear()

    def _refusal(self, command: str) -> MonitorClosedError:
        refusal = MonitorClosedError(f"{self.name}: {command} was not sent: {self._cause}")
        refusal.__cause__ = self._cause
        return refusal

    @property
    def _cause(self) -> MonitorError:
        """Why commands can no longer be sent, or answered."""
        cause = self._end or self._send_failure
        assert cause is not None, "nothing else keeps a command from its answer"
        return cause

    # -------------------------------------------------------------------------------- reader

    async def _read(self) -> None:
        """Hands every message on until the connection ends, then tells everybody who waits."""
        end: MonitorError = MonitorClosedError("the session was closed on this side")
        try:
            end = await self._read_to_end()
        finally:
            self._finish(end)
        # QEMU would stop at the first event that it cannot write.
        await trio.aclose_forcefully(self._stream)

    async def _read_to_end(self) -> MonitorError:
        while True:
            try:
                data = await self._stream.receive_some(MAX_RECEIVE_BYTES)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                end = MonitorClosedError(f"the connection broke: {error}")
                end.__cause__ = error
                return end
            self._bytes_received += len(data)
            if not data:
                return self._ended_by_peer()
            for message in self._connection.receive_data(data):
                self._hand_on(message)
            if self._connection.failure is not None:
                return self._connection.failure

    def _ended_by_peer(self) -> MonitorError:
        try:
            self._connection.receive_eof()
        except RemoteProtocolError as offence:
            return offence
        return MonitorClosedError("the monitor closed the connection")

    def _hand_on(self, message: Message) -> None:
        if isinstance(message, Event):
            if self._on_event is None:
                self._queue.put(message)
            else:
                self._on_event(message)
        elif isinstance(message, Greeting):
            self._greeted.set()
        else:
            _, tell = self._waiting.pop(message.id, (None, None))
            if tell is not None:
                tell(_outcome(message))
            if self._outboxes[False] or self._outboxes[True]:
                self._send()

    def _finish(self, end: MonitorError) -> None:
        """Makes the end known to every task that waits for something."""
        self._end = end
        for request, _ in list(self._waiting.values()):
            self._lose(request, end)
        self._refuse_outboxes()
        self._queue.close(end if isinstance(end, RemoteProtocolError) else None)
        self._greeted.set()
        self._ended.set()


def _outcome(answer: Reply | ErrorReply) -> outcome.Outcome[Any]:
    if isinstance(answer, Reply):
        return outcome.Value(answer.value)
    return outcome.Error(CommandFailedError(answer.command, answer.error_class, answer.description))


@asynccontextmanager
async def open_session(
    stream: trio.abc.Stream,
    *,
    on_event: Callable[[Event], None] | None = None,
    name: str = "monitor",
) -> AsyncGenerator[QmpSession, None]:
    """Speaks QMP on a stream for the length of a block; the session is ready for commands.

    Args:
        stream: A connection to a monitor that has not been read from. The session owns it from
            here on, and closes it at the end of the block.
        on_event: Called with each event, in wire order, before any answer that came after the
            event is given to its task. It must not block. If it raises, the session ends and the
            exception leaves this block, in an ``ExceptionGroup``. Without it, read
            `QmpSession.events`.
        name: How error messages call this monitor.

    Yields:
        The session. When the connection ends the block is not cancelled: commands raise, the
        events end, and `QmpSession.wait_ended` returns.

    Raises:
        RemoteProtocolError: The peer did not greet and negotiate as QMP says.
        MonitorClosedError: The connection ended before commands were possible.
        CommandFailedError: QEMU refused the negotiation.

    Events: QEMU sends none to a monitor before the negotiation has ended. To miss nothing, query
    the state after entering the block, and fold in the events that came meanwhile.

    Cancellation: the stream is closed. A QEMU that serves somebody else on this socket does not
    greet; the caller's cancel scope decides how long to wait for it.
    """
    session = QmpSession(stream, on_event, name)
    failure: Exception | None = None
    try:
        async with trio.open_nursery() as nursery:
            try:
                await session.start(nursery)
                yield session
            except Exception as error:
                if nursery.cancel_scope.cancel_called:
                    raise  # beside the observer's exception, in one group
                failure = error  # raised outside the nursery, which would wrap it in a group
            nursery.cancel_scope.cancel()
    finally:
        with trio.move_on_after(CLOSE_GRACE_S):
            await stream.aclose()
    if failure is not None:
        raise failure
