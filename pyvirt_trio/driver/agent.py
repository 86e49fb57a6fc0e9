"""What can be asked of a guest's agent: libvirt's calls that go through it, and any command.

Every call may find no agent (`AgentUnavailableError`), may be refused by it (`AgentCommandError`),
and takes as long as the guest does: the caller's cancel scope is the timeout. Cancelling a call
does not take it back; the guest may do it later. None of them takes the domain's job.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import trio

from pyvirt_trio.agent import answers
from pyvirt_trio.driver.agent_info import AgentInfoCalls
from pyvirt_trio.driver.agent_vcpus import AgentVcpuCalls
from pyvirt_trio.errors import ErrorCode, InvalidStateError
from pyvirt_trio.models.agent import (
    GuestExecResult,
    GuestShutdownMode,
    GuestSuspendTarget,
    GuestTrim,
)
from pyvirt_trio.models.lifecycle import Sleeps

POLL_PAUSE_S = 0.01
MAX_POLL_PAUSE_S = 0.5
"""The agent does not say when a program ends, so it is asked: after 10, 20, 40, ... ms, and from
then on twice a second, which is how often a person looks."""


class DomainAgent(AgentInfoCalls, AgentVcpuCalls):
    """The agent in the guest of one domain; `Domain.agent`.

    Raises:
        InvalidStateError: (every method) The domain is not running.
        AgentUnavailableError: (every method) There is no agent, or it does not answer.
        AgentCommandError: (every method) It refuses.
        GuestError: (every method) It answers what makes no sense.
    """

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
            return await self.ask("guest-fsfreeze-freeze", answers.read_count)
        arguments = {"mountpoints": list(mount_points)}
        return await self.ask("guest-fsfreeze-freeze-list", answers.read_count, arguments)

    async def thaw(self) -> int:
        """The guest's file systems can be written again (``virDomainFSThaw``).

        Returns:
            How many were frozen.
        """
        return await self.ask("guest-fsfreeze-thaw", answers.read_count)

    async def freeze_status(self) -> str:
        """``frozen`` or ``thawed``."""
        return str(await self.command("guest-fsfreeze-status"))

    async def trim(self, minimum_bytes: int = 0) -> tuple[GuestTrim, ...]:
        """Unused blocks of the guest's file systems are given back (``virDomainFSTrim``).

        Args:
            minimum_bytes: Shorter free extents are left alone.
        """
        arguments = {"minimum": minimum_bytes}
        return await self.ask("guest-fstrim", answers.read_trims, arguments)

    async def shutdown(self, mode: GuestShutdownMode = GuestShutdownMode.POWERDOWN) -> None:
        """The guest is going down, or down and up again (``virDomainShutdownFlags``).

        Returns:
            When the guest has begun: its agent has left, or the machine has noticed.
        """
        # Or a reboot that was asked for earlier, and ignored, would make one of this.
        self._domain.running_life().reboots = False
        await self._link().execute_unanswered("guest-shutdown", {"mode": mode.value})

    async def suspend(self, target: GuestSuspendTarget = GuestSuspendTarget.MEMORY) -> None:
        """The guest sleeps (``virDomainPMSuspendForDuration``).

        Returns:
            When the guest has begun: the machine sleeps, or the agent has left.

        Raises:
            InvalidStateError: Also when the machine could not be woken, or its definition takes
                such a sleep from the guest (``OPERATION_UNSUPPORTED``).

        Events:
            `GuestSlept` and `DomainPmSuspended`, or `GuestHibernated` and, before the end of the
            life, `DomainPmSuspended`.
        """
        machine = await self._domain.running_life().execute("query-current-machine")
        if not machine["wakeup-suspend-support"]:
            raise InvalidStateError(
                "Domain does not have suspend support", code=ErrorCode.OPERATION_UNSUPPORTED
            )
        link = self._link()
        link.require_available()
        _require_sleeps(self._domain.definition.sleeps, target)
        await link.execute_unanswered(f"guest-suspend-{target.value}", None)

    async def time_ns(self) -> int:
        """The guest's clock, in nanoseconds since 1970-01-01 UTC (``virDomainGetTime``)."""
        return await self.ask("guest-get-time", answers.read_count)

    async def set_time(self, time_ns: int | None) -> None:
        """The guest's clock is set (``virDomainSetTime``).

        Args:
            time_ns: Nanoseconds since 1970-01-01 UTC; ``None`` takes the machine's own clock.

        Returns:
            When the machine, too, has given up the ticks it still owed the guest.

        Raises:
            InvalidStateError: Also when the domain stopped after its guest had set the clock.
        """
        arguments = None if time_ns is None else {"time": time_ns}
        await self.ask("guest-set-time", answers.read_nothing, arguments)
        async with self._domain.job.hold("set-time"):
            await self._domain.running_life().execute("rtc-reset-reinjection")

    async def set_user_password(
        self, user: str, password: str, *, is_encrypted: bool = False
    ) -> None:
        """A user of the guest has this password (``virDomainSetUserPassword``)."""
        arguments = {
            "username": user,
            "password": base64.b64encode(password.encode()).decode(),
            "crypted": is_encrypted,
        }
        await self.ask("guest-set-user-password", answers.read_nothing, arguments)

    async def ssh_keys(self, user: str) -> tuple[str, ...]:
        """The public keys with which ``user`` may log in (``virDomainAuthorizedSSHKeysGet``)."""
        arguments = {"username": user}
        return await self.ask("guest-ssh-get-authorized-keys", answers.read_keys, arguments)

    async def add_ssh_keys(self, user: str, keys: Sequence[str], *, reset: bool = False) -> None:
        """``user`` may log in with these keys, too (``virDomainAuthorizedSSHKeysSet``).

        Args:
            user: A user of the guest.
            keys: Public keys, as in ``authorized_keys``.
            reset: And with no others.
        """
        arguments = {"username": user, "keys": list(keys), "reset": reset}
        await self.ask("guest-ssh-add-authorized-keys", answers.read_nothing, arguments)

    async def remove_ssh_keys(self, user: str, keys: Sequence[str]) -> None:
        """``user`` may no longer log in with these keys (``virDomainAuthorizedSSHKeysSet``)."""
        arguments = {"username": user, "keys": list(keys)}
        await self.ask("guest-ssh-remove-authorized-keys", answers.read_nothing, arguments)

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
        pid = await self.ask("guest-exec", answers.read_pid, request)
        pause_s = POLL_PAUSE_S
        while True:
            ended = await self.ask("guest-exec-status", answers.read_end, {"pid": pid})
            if ended is not None:
                return ended
            await trio.sleep(pause_s)
            pause_s = min(2 * pause_s, MAX_POLL_PAUSE_S)


def _require_sleeps(sleeps: Sleeps, target: GuestSuspendTarget) -> None:
    is_hybrid = target is GuestSuspendTarget.HYBRID
    rows = (
        ("S3", sleeps.to_memory, target is GuestSuspendTarget.MEMORY),
        ("S4", sleeps.to_disk, target is GuestSuspendTarget.DISK),
    )
    for name, is_offered, is_wanted in rows:
        if is_offered is False and (is_wanted or is_hybrid):
            raise InvalidStateError(
                f"{name} state is disabled for this domain", code=ErrorCode.OPERATION_UNSUPPORTED
            )
