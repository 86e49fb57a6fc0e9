"""What a client can ask of a domain's guest agent: one small function per method."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import attrs

from pyvirt_trio.driver.agent import DomainAgent
from pyvirt_trio.driver.hypervisor import Hypervisor
from pyvirt_trio.errors import DefinitionError, ErrorCode
from pyvirt_trio.models.agent import GuestSuspendTarget

Method = Callable[..., Awaitable[Any]]


def _agent(hypervisor: Hypervisor, domain: str) -> DomainAgent:
    return hypervisor.domain(domain).agent


async def _command(
    hypervisor: Hypervisor, domain: str, command: str, arguments: Mapping[str, Any] | None = None
) -> Any:
    return await _agent(hypervisor, domain).command(command, arguments)


async def _freeze(
    hypervisor: Hypervisor, domain: str, mount_points: list[str] | None = None
) -> int:
    return await _agent(hypervisor, domain).freeze(mount_points)


async def _thaw(hypervisor: Hypervisor, domain: str) -> int:
    return await _agent(hypervisor, domain).thaw()


async def _freeze_status(hypervisor: Hypervisor, domain: str) -> str:
    return await _agent(hypervisor, domain).freeze_status()


async def _trim(
    hypervisor: Hypervisor, domain: str, minimum_bytes: int = 0
) -> list[dict[str, Any]]:
    found = await _agent(hypervisor, domain).trim(minimum_bytes)
    return [attrs.asdict(one) for one in found]


async def _interfaces(hypervisor: Hypervisor, domain: str) -> list[dict[str, Any]]:
    return [attrs.asdict(one) for one in await _agent(hypervisor, domain).interfaces()]


async def _info(hypervisor: Hypervisor, domain: str) -> dict[str, Any]:
    agent = _agent(hypervisor, domain)
    return {"hostname": await agent.hostname(), "os": await agent.os_info()}


async def _time(hypervisor: Hypervisor, domain: str, set_ns: int | None = None) -> int:
    agent = _agent(hypervisor, domain)
    if set_ns is not None:
        await agent.set_time(set_ns)
    return await agent.time_ns()


async def _suspend(hypervisor: Hypervisor, domain: str, target: str = "ram") -> None:
    try:
        wanted = GuestSuspendTarget(target)
    except ValueError:
        known = ", ".join(one.value for one in GuestSuspendTarget)
        raise DefinitionError(
            f"a guest cannot sleep in '{target}', but in {known}", code=ErrorCode.INVALID_ARG
        ) from None
    await _agent(hypervisor, domain).suspend(wanted)


async def _exec(
    hypervisor: Hypervisor,
    domain: str,
    path: str,
    arguments: list[str] | None = None,
    stdin_base64: str = "",
) -> dict[str, Any]:
    try:
        stdin = base64.b64decode(stdin_base64, validate=True)
    except binascii.Error as error:
        raise DefinitionError(f"stdin_base64: {error}", code=ErrorCode.INVALID_ARG) from error
    done = await _agent(hypervisor, domain).run(path, arguments or (), stdin=stdin)
    return {
        "exit_code": done.exit_code,
        "signal": done.signal,
        "stdout_base64": base64.b64encode(done.stdout).decode(),
        "stderr_base64": base64.b64encode(done.stderr).decode(),
        "is_truncated": done.is_truncated,
    }


async def _set_password(
    hypervisor: Hypervisor, domain: str, user: str, password: str, *, is_encrypted: bool = False
) -> None:
    agent = _agent(hypervisor, domain)
    await agent.set_user_password(user, password, is_encrypted=is_encrypted)


METHODS: dict[str, Method] = {
    "qemu-agent-command": _command,
    "domfsfreeze": _freeze,
    "domfsthaw": _thaw,
    "domfsfreeze-status": _freeze_status,
    "domfstrim": _trim,
    "domifaddr-agent": _interfaces,
    "guestinfo": _info,
    "domtime": _time,
    "dompmsuspend-agent": _suspend,
    "guest-exec": _exec,
    "set-user-password": _set_password,
}
