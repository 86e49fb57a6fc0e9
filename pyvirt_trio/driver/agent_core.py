"""What every call to a guest's agent stands on: the line to it, and answers that make sense."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from pyvirt_trio.agent.answers import understood
from pyvirt_trio.errors import AgentUnavailableError, InvalidStateError
from pyvirt_trio.models.states import DomainState

if TYPE_CHECKING:
    from pyvirt_trio.driver.agent_link import AgentLink
    from pyvirt_trio.driver.domain_core import DomainCore

Value = TypeVar("Value")


class AgentCore:
    """See `DomainAgent`."""

    def __init__(self, domain: DomainCore) -> None:
        self._domain = domain

    @property
    def is_connected(self) -> bool:
        """Whether an agent has opened its channel."""
        try:
            self._link().require_available()
        except (AgentUnavailableError, InvalidStateError):
            return False
        return True

    async def command(self, name: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """What the agent returns for any of its commands (``virDomainQemuAgentCommand``)."""
        return await self._link().execute(name, arguments)

    async def ping(self) -> None:
        """The agent has answered."""
        await self.command("guest-ping")

    async def ask(
        self,
        command: str,
        read: Callable[[Any], Value],
        arguments: Mapping[str, Any] | None = None,
    ) -> Value:
        """What ``read`` makes of the agent's answer; for the calls."""
        return understood(command, await self.command(command, arguments), read)

    def _link(self) -> AgentLink:
        life = self._domain.running_life()
        if self._domain.status.state is not DomainState.RUNNING:
            raise InvalidStateError("domain is not running")
        return life.agent
