"""Calls to a guest agent over a stream, one at a time.

An agent that does not answer is the normal case: it may not be installed, be frozen with its guest,
or have died. How long a command may take is the caller's cancel scope's business; only the sync
before it has a patience of its own, so that an agent that is not there at all is told apart from a
command that takes its time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import trio

from pyvirt_trio.agent.wire import AgentWire, Answer, Message, Refusal, Synced
from pyvirt_trio.errors import (
    AgentCommandError,
    AgentUnavailableError,
    DefinitionError,
    ErrorCode,
    RemoteProtocolError,
)

SYNC_PATIENCE_S = 5.0
"""How long an agent may take to answer a sync; libvirt gives it as long (``QEMU_AGENT_WAIT_TIME``)
and has the same words for one that does not."""

_RECEIVE_BYTES = 1 << 16


class AgentSession:
    """A connection to an agent; see `AgentWire` for what is believed and when.

    Args:
        stream: The host's end of the channel. Whoever made it closes it.

    Attributes:
        is_cut: Whether the stream has ended; a new session needs a new one.
    """

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._wire = AgentWire()
        self.is_cut = False

    async def sync(self) -> None:
        """The agent has answered, and nothing of an earlier call can be taken for an answer.

        Raises:
            AgentUnavailableError: It does not answer within `SYNC_PATIENCE_S`, or the line is cut.

        Cancellation:
            The next call syncs again.
        """
        with trio.move_on_after(SYNC_PATIENCE_S) as patience:
            await self._send(self._wire.begin_sync())
            while True:
                for message in await self._receive():
                    if isinstance(message, Synced):
                        return
        if patience.cancelled_caught:
            raise AgentUnavailableError(
                "Guest agent is not responding: guest agent didn't respond to "
                f"'guest-sync-delimited' command within '{SYNC_PATIENCE_S:.0f}' seconds"
            )

    async def execute(self, command: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """What the agent returns for a command.

        Raises:
            AgentCommandError: It refuses.
            AgentUnavailableError: It does not answer a sync, and has not got the command; or the
                line was cut in the middle, and the command may have taken effect.
            DefinitionError: The arguments cannot be sent.

        Cancellation:
            The command may take effect later; its answer will be thrown away.
        """
        await self._send_request(command, arguments)
        try:
            return _value(command, await self._next(command))
        finally:
            if not self._wire.is_in_sync:
                self._wire.abandon()

    async def execute_unanswered(
        self,
        command: str,
        arguments: Mapping[str, Any] | None,
        happened: Callable[[], Awaitable[object]],
    ) -> None:
        """Have something done that the agent does not live to report, such as a shutdown.

        Such a command answers only when it fails; that it has succeeded, another channel tells.

        Args:
            command: One of the agent's commands without a response to success.
            arguments: Its arguments.
            happened: Returns when the effect is seen.

        Raises:
            AgentCommandError, AgentUnavailableError: As for `execute`.
        """
        await self._send_request(command, arguments)
        try:
            async with trio.open_nursery() as nursery:
                failures: list[AgentCommandError] = []

                async def watch() -> None:
                    await happened()
                    nursery.cancel_scope.cancel()

                nursery.start_soon(watch)
                try:
                    _value(command, await self._next(command))
                except AgentCommandError as error:
                    failures.append(error)
                except AgentUnavailableError:
                    if not self.is_cut:  # otherwise QEMU went, and its guest with it
                        raise
                nursery.cancel_scope.cancel()
        finally:
            self._wire.abandon()
        if failures:
            raise failures[0]

    async def _send_request(self, command: str, arguments: Mapping[str, Any] | None) -> None:
        if not self._wire.is_in_sync:
            await self.sync()
        try:
            data = self._wire.request(command, arguments)
        except (TypeError, ValueError) as error:
            message = f"the arguments of '{command}' cannot be sent: {error}"
            raise DefinitionError(message, code=ErrorCode.INVALID_ARG) from error
        await self._send(data)

    async def _next(self, command: str) -> Message:
        while True:
            try:
                messages = await self._receive()
            except AgentUnavailableError as error:
                raise AgentUnavailableError(
                    f"Guest agent disappeared while executing command '{command}'"
                ) from error
            except RemoteProtocolError as error:
                raise AgentUnavailableError(
                    f"Guest agent talks nonsense instead of answering '{command}': {error}"
                ) from error
            if messages:
                return messages[0]

    async def _send(self, data: bytes) -> None:
        try:
            await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            self.is_cut = True
            raise AgentUnavailableError("QEMU guest agent is not connected") from error

    async def _receive(self) -> list[Message]:
        try:
            data = await self._stream.receive_some(_RECEIVE_BYTES)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            data = b""
        if not data:
            self.is_cut = True
            raise AgentUnavailableError("QEMU guest agent is not connected")
        return self._wire.feed(bytes(data))


def _value(command: str, message: Message) -> Any:
    if isinstance(message, Refusal):
        raise AgentCommandError(command, message.error_class, message.description)
    assert isinstance(message, Answer), "a request has an answer or a refusal"
    return message.value
