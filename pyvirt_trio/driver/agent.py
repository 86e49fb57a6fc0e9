"""What can be asked of a guest's agent: libvirt's calls that go through it, and any command.

Every call may find no agent (`AgentUnavailableError`), may be refused by it (`AgentCommandError`),
and takes as long as the guest does: the caller's cancel scope is the timeout. Cancelling a call
does not take it back; the guest may do it later. None of them takes the domain's job.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import trio

from pyvirt_trio.errors import AgentUnavailableError, InvalidStateError
from pyvirt_trio.models.agent import (
    GuestExecResult,
    GuestInterface,
    GuestIpAddress,
    GuestShutdownMode,
    GuestSuspendTarget,
    GuestTrim,
)
from pyvirt_trio.models.states import DomainState

if TYPE_CHECKING:
    from pyvirt_trio.driver.agent_link import AgentLink
    from pyvirt_trio.driver.domain_core import DomainCore

NANOSECONDS = 1_000_000_000

POLL_PAUSE_S = 0.01
MAX_POLL_PAUSE_S = 0.5
"""The agent does not say when a program ends, so it is asked: after 10, 20, 40, ... ms, and from
then on twice a second, which is how often a person looks."""


class DomainAgent:
    """The agent in the guest of one domain; `Domain.agent`.

    Raises:
        InvalidStateError: (every method) The domain is not running.
        AgentUnavailableError: (every method) There is no agent, or it does not answer.
        AgentCommandError: (every method) It refuses.
    """

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

    async def freeze(self, mount_points: Sequence[str] | None = None) -> int:
        """The guest's file systems stand still, clean (``virDomainFSFreeze``).

        Args:
            mount_points: Only these; all when ``None``.

        Returns:
            How many are frozen.

        Cancellation:
            They may freeze later: `freeze_status` tells, and `thaw` undoes it.
        """
        if mount_points is None:
            return int(await self.command("guest-fsfreeze-freeze"))
        arguments = {"mountpoints": list(mount_points)}
        return int(await self.command("guest-fsfreeze-freeze-list", arguments))

    async def thaw(self) -> int:
        """The guest's file systems can be written again (``virDomainFSThaw``).

        Returns:
            How many were frozen.
        """
        return int(await self.command("guest-fsfreeze-thaw"))

    async def freeze_status(self) -> str:
        """``frozen`` or ``thawed``."""
        return str(await self.command("guest-fsfreeze-status"))

    async def trim(self, minimum_bytes: int = 0) -> tuple[GuestTrim, ...]:
        """Unused blocks of the guest's file systems are given back (``virDomainFSTrim``).

        Args:
            minimum_bytes: Shorter free extents are left alone.
        """
        answer = await self.command("guest-fstrim", {"minimum": minimum_bytes})
        return tuple(
            GuestTrim(one["path"], one.get("trimmed"), one.get("error")) for one in answer["paths"]
        )

    async def shutdown(self, mode: GuestShutdownMode = GuestShutdownMode.POWERDOWN) -> None:
        """The guest is going down, or down and up again (``virDomainShutdownFlags``).

        Returns:
            When the guest has begun: its agent has left, or the machine has noticed.
        """
        await self._link().execute_unanswered("guest-shutdown", {"mode": mode.value})

    async def suspend(self, target: GuestSuspendTarget = GuestSuspendTarget.MEMORY) -> None:
        """The guest sleeps (``virDomainPMSuspendForDuration``)."""
        await self._link().execute_unanswered(f"guest-suspend-{target.value}", None)

    async def time_ns(self) -> int:
        """The guest's clock, in nanoseconds since 1970-01-01 UTC (``virDomainGetTime``)."""
        return int(await self.command("guest-get-time"))

    async def set_time(self, time_ns: int | None) -> None:
        """The guest's clock is set (``virDomainSetTime``).

        Args:
            time_ns: Nanoseconds since 1970-01-01 UTC; ``None`` takes the machine's own clock.
        """
        await self.command("guest-set-time", None if time_ns is None else {"time": time_ns})

    async def interfaces(self) -> tuple[GuestInterface, ...]:
        """The guest's network interfaces (``virDomainInterfaceAddresses``, source agent)."""
        answer = await self.command("guest-network-get-interfaces")
        return tuple(
            GuestInterface(
                one["name"],
                one.get("hardware-address"),
                tuple(
                    GuestIpAddress(ip["ip-address-type"], ip["ip-address"], ip["prefix"])
                    for ip in one.get("ip-addresses", ())
                ),
            )
            for one in answer
        )

    async def os_info(self) -> dict[str, str]:
        """What runs in the guest, by the agent's names (``virDomainGetGuestInfo``)."""
        answer = await self.command("guest-get-osinfo")
        return {str(key): str(value) for key, value in answer.items()}

    async def hostname(self) -> str:
        """The guest's own name (``virDomainGetHostname``, source agent)."""
        return str((await self.command("guest-get-host-name"))["host-name"])

    async def set_user_password(
        self, user: str, password: str, *, is_encrypted: bool = False
    ) -> None:
        """A user of the guest has this password (``virDomainSetUserPassword``)."""
        arguments = {
            "username": user,
            "password": base64.b64encode(password.encode()).decode(),
            "crypted": is_encrypted,
        }
        await self.command("guest-set-user-password", arguments)

    async def run(
        self,
        path: str,
        arguments: Sequence[str] = (),
        *,
        environment: Sequence[str] = (),
        stdin: bytes = b"",
    ) -> GuestExecResult:
        """A program has run in the guest and ended; its output is here.

        Args:
            path: The program, looked for along the guest's path.
            arguments: Its arguments.
            environment: ``NAME=value`` each; the agent's own when empty.
            stdin: What it reads.

        Cancellation:
            The program runs on in the guest.
        """
        request: dict[str, Any] = {"path": path, "capture-output": True}
        if arguments:
            request["arg"] = list(arguments)
        if environment:
            request["env"] = list(environment)
        if stdin:
            request["input-data"] = base64.b64encode(stdin).decode()
        started = await self.command("guest-exec", request)
        pause_s = POLL_PAUSE_S
        while True:
            status = await self.command("guest-exec-status", {"pid": started["pid"]})
            if status["exited"]:
                return _result(status)
            await trio.sleep(pause_s)
            pause_s = min(2 * pause_s, MAX_POLL_PAUSE_S)

    def _link(self) -> AgentLink:
        life = self._domain.running_life()
        if self._domain.status.state is not DomainState.RUNNING:
            raise InvalidStateError("domain is not running")
        return life.agent


def _result(status: Mapping[str, Any]) -> GuestExecResult:
    return GuestExecResult(
        exit_code=status.get("exitcode"),
        signal=status.get("signal"),
        stdout=base64.b64decode(status.get("out-data", "")),
        stderr=base64.b64decode(status.get("err-data", "")),
        is_truncated=bool(status.get("out-truncated") or status.get("err-truncated")),
    )
