"""A small QMP client, as many programs have written one for themselves.

What went wrong in such clients, and holds here: an event is never taken for an answer; answers are
matched by id; the state is asked for after the negotiation, because earlier events are not sent;
handlers of events run beside the reader, so that they may ask; nothing is locked while an answer is
awaited; and whoever closes says so first, so that nobody begins to wait behind its back.
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any

import attrs
import trio

from pyvirt_sim.checkers.trace import Trace


class ClientClosedError(Exception):
    """The connection is gone; the answer will not come."""


@attrs.define(eq=False)
class Pending:
    """One command under way."""

    number: int
    answered: trio.Event = attrs.field(factory=trio.Event)
    answer: dict[str, Any] | None = None


@attrs.define(eq=False)
class QmpClient:
    """One connection to a monitor.

    Args:
        stream: The connection.
        nursery: Runs the reader and the handlers.
        trace: What is received is written there.

    Attributes:
        state: What the client takes for QEMU's run state.
        pending: Commands under way, the oldest first.
    """

    stream: trio.abc.Stream
    nursery: trio.Nursery
    trace: Trace
    state: str = "unknown"
    pending: dict[int, Pending] = attrs.field(factory=dict[int, Pending])
    is_closed: bool = False
    sending: trio.Lock = attrs.field(factory=trio.Lock)
    _numbers: int = 0
    _data: bytearray = attrs.field(factory=bytearray)
    _messages: deque[dict[str, Any]] = attrs.field(factory=deque[dict[str, Any]])

    async def connect(self) -> None:
        """Ready for commands, and in step with QEMU."""
        await self.next_answer()  # the greeting
        await self.send({"execute": "qmp_capabilities", "id": 0})
        await self.next_answer()
        self.nursery.start_soon(self.read, name="client's reader")
        await self.learn_state()

    async def learn_state(self) -> None:
        """Ask for the state: what happened before the negotiation was not told."""
        await self.execute("query-status")

    async def next_answer(self) -> dict[str, Any]:
        """The next message that is not an event."""
        while True:
            message = await self.next_message()
            if "event" not in message:
                return message
            self.fold(message)

    async def next_message(self) -> dict[str, Any]:
        """The next message.

        Raises:
            ClientClosedError: There is none.
        """
        while not self._messages:
            data = b"" if self.is_closed else await self.receive()
            if not data:
                raise ClientClosedError("the monitor has closed the connection")
            *lines, rest = (self._data + data).split(b"\r\n")
            self._data = bytearray(rest)
            self._messages.extend(json.loads(line) for line in lines)
        return self._messages.popleft()

    async def receive(self) -> bytes:
        """Some bytes, none when the connection has ended on either side."""
        try:
            return bytes(await self.stream.receive_some())
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            return b""

    async def send(self, message: dict[str, Any]) -> None:
        """Send one message; the lock keeps messages whole, and is not held any longer."""
        async with self.sending:
            await self.stream.send_all(json.dumps(message).encode() + b"\n")

    async def execute(self, command: str) -> dict[str, Any]:
        """What a command returns; an empty answer when it failed.

        Raises:
            ClientClosedError: The connection has ended.
        """
        pending = self.begin()
        try:
            await self.send({"execute": command, "id": pending.number})
            await pending.answered.wait()
        except trio.BrokenResourceError as error:
            raise ClientClosedError(command) from error
        finally:
            self.pending.pop(pending.number, None)
        if pending.answer is None:
            raise ClientClosedError(command)
        self.trace.did("qmp client", "is answered", command, keys=tuple(pending.answer))
        return pending.answer

    def begin(self) -> Pending:
        """Note a command; refused once the connection is closed.

        Raises:
            ClientClosedError: It is.
        """
        if self.is_closed:
            raise ClientClosedError("closed")
        self._numbers += 1
        pending = self.pending[self._numbers] = Pending(self._numbers)
        return pending

    async def read(self) -> None:
        """Hand on what comes, until the connection ends."""
        try:
            while True:
                message = await self.next_message()
                if "event" in message:
                    await self.dispatch(message)
                else:
                    self.answer(message)
        except ClientClosedError:
            self.is_closed = True
            self.fail_all()

    def answer(self, message: dict[str, Any]) -> None:
        """Give an answer to whoever asked."""
        pending = self.asker_of(message)
        if pending is not None:
            pending.answer = message.get("return", {})
            # Here, in the order of the wire: the caller wakes up later, perhaps after an event.
            self.state = str(message.get("return", {}).get("status", self.state))
            pending.answered.set()

    def asker_of(self, message: dict[str, Any]) -> Pending | None:
        """Whose answer it is: the id says so."""
        return self.pending.get(message.get("id", -1))

    async def dispatch(self, event: dict[str, Any]) -> None:
        """Handle an event beside the reader."""
        self.fold(event)
        self.nursery.start_soon(self.handle, event, name="client's handler")

    def fold(self, event: dict[str, Any]) -> None:
        """What an event says about the state."""
        after = {"STOP": "paused", "RESUME": "running", "SHUTDOWN": "shutdown"}
        self.state = after.get(event["event"], self.state)

    async def handle(self, event: dict[str, Any]) -> None:
        """The power button calls for a look at the machine."""
        if event["event"] == "POWERDOWN":
            try:
                await self.execute("query-status")
            except ClientClosedError:
                return

    def fail_all(self) -> None:
        """Nobody will be answered any more."""
        for pending in list(self.pending.values()):
            pending.answered.set()

    async def close(self) -> None:
        """End the connection: nobody waits, and nobody begins to."""
        self.is_closed = True
        self.fail_all()
        await self.stream.aclose()
