"""One life's line to its guest's agent: whether the agent is there, and one call after another.

The state of the channel is set first and acted on second, and only the agent's own channel counts:
when it closes, a call that waits for an answer is told at once, because the agent that would have
answered is gone (libvirt's bugs 890648 and 1236924 are the two ways of getting this wrong).

The line has a lock of its own. An agent that never answers holds up other calls to the agent, and
nothing else: not the domain's job, not its monitor, not its end.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import trio

from pyvirt_trio.agent.session import AgentSession
from pyvirt_trio.errors import AgentUnavailableError, ErrorCode
from pyvirt_trio.models.devices import Channel
from pyvirt_trio.models.events import AgentReason, AgentState, AgentStateChanged
from pyvirt_trio.qmp.messages import Event

if TYPE_CHECKING:
    from pyvirt_trio.driver.life_core import LifeCore

AGENT_CHANNEL = "org.qemu.guest_agent.0"
"""The name under which every guest agent looks for its port."""

NONE_OPEN: frozenset[str] = frozenset()
"""The open channels of a machine that has just been switched on, or is off."""

_ENDS_OF_A_GUEST = frozenset({"SHUTDOWN", "RESET", "SUSPEND", "SUSPEND_DISK"})


class AgentLink:
    """The agent of one life; made with the life, and closed by it."""

    def __init__(self, life: LifeCore) -> None:
        self._life = life
        self._lock = trio.Lock()
        self._stream: trio.abc.Stream | None = None
        self._session: AgentSession | None = None
        self._connected_to: Channel | None = None
        self._call: trio.CancelScope | None = None
        self._gone = trio.Event()

    # -- what the monitor tells ------------------------------------------------------------------

    def heard(self, event: Event) -> None:
        """Take notice of an event of QEMU, in wire order."""
        if event.name == "VSERPORT_CHANGE":
            self._port_changed(str(event.data["id"]), is_open=bool(event.data["open"]))
        elif event.name in _ENDS_OF_A_GUEST:
            self._let_go()

    def learn(self, alias: str, *, is_open: bool) -> None:
        """What QEMU says of a port when asked; announced where it was not known."""
        if (alias in self._life.domain.view.open_channels) != is_open:
            self._port_changed(alias, is_open=is_open)

    def _port_changed(self, alias: str, *, is_open: bool) -> None:
        domain = self._life.domain
        channels = domain.view.open_channels
        channel = self._channel()
        is_agent = channel is not None and channel.alias == alias
        # QEMU sends one such event a second and drops all but the last: when a port that is open
        # opens, it was closed meanwhile, and the agent that had our request is gone all the same.
        has_left = is_agent and (alias in channels or not is_open)
        with domain.journal.commit() as commit:
            changed = channels | {alias} if is_open else channels - {alias}
            commit.update(domain, open_channels=changed)
            if is_agent:
                state = AgentState.CONNECTED if is_open else AgentState.DISCONNECTED
                commit.announce(
                    AgentStateChanged(**self._life.stamp, state=state, reason=AgentReason.CHANNEL)
                )
        if has_left:
            self._let_go()
            if self._call is not None:
                self._call.cancel()

    def _let_go(self) -> None:
        self._gone.set()
        self._gone = trio.Event()

    # -- calls -----------------------------------------------------------------------------------

    def require_available(self) -> Channel:
        """The agent's channel, with an agent at its other end (``qemuDomainAgentAvailable``).

        Raises:
            AgentUnavailableError: There is no channel, or no agent.
        """
        channel = self._channel()
        if channel is None:
            raise AgentUnavailableError(
                "QEMU guest agent is not configured", code=ErrorCode.ARGUMENT_UNSUPPORTED
            )
        if channel.alias not in self._life.domain.view.open_channels:
            raise AgentUnavailableError("QEMU guest agent is not connected")
        return channel

    async def execute(self, command: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """As `AgentSession.execute`, once the calls before it have ended.

        Raises:
            AgentUnavailableError: Also when the agent's channel closes meanwhile.
        """
        async with self._line() as session:
            call = self._call = trio.CancelScope()
            with call:
                try:
                    return await session.execute(command, arguments)
                finally:
                    self._call = None
        raise AgentUnavailableError(f"Guest agent disappeared while executing command '{command}'")

    async def execute_unanswered(self, command: str, arguments: Mapping[str, Any] | None) -> None:
        """As `AgentSession.execute_unanswered`; the effect is that the guest goes down or sleeps.

        A channel that closes is success here: the guest ends its agent on its way down.
        """
        async with self._line() as session:
            await session.execute_unanswered(command, arguments, self._gone.wait)

    async def aclose(self) -> None:
        """Close the line; whoever waits for an answer is told."""
        if self._stream is not None:
            await self._stream.aclose()
        self._stream = self._session = None

    @asynccontextmanager
    async def _line(self) -> AsyncGenerator[AgentSession]:
        """The session, for one call."""
        self.require_available()
        async with self._lock:
            session = await self._connect(self.require_available())
            try:
                yield session
            finally:
                if session.is_cut and self._session is session:
                    with trio.CancelScope(shield=True):  # the socket is closed without waiting
                        await self.aclose()

    async def _connect(self, channel: Channel) -> AgentSession:
        if self._connected_to is not channel:  # another one that has got the name of the first
            await self.aclose()
        if self._session is None:
            path = channel.source.path
            if channel.source.kind != "unix" or path is None or not channel.source.is_server:
                raise AgentUnavailableError(
                    "QEMU guest agent's channel is no unix socket at which QEMU listens",
                    code=ErrorCode.CONFIG_UNSUPPORTED,
                )
            try:
                self._stream = await self._life.host.open_stream(f"unix:{path}")
            except OSError as error:
                raise AgentUnavailableError(
                    f"QEMU guest agent is not connected: {error.strerror or error}"
                ) from error
            self._session, self._connected_to = AgentSession(self._stream), channel
        return self._session

    def _channel(self) -> Channel | None:
        live = self._life.domain.view.live
        for device in live.devices if live is not None else ():
            if isinstance(device, Channel) and device.name == AGENT_CHANNEL:
                return device
        return None
