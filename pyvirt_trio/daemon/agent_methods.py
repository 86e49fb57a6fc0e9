"""What a client can ask of a domain's guest agent: one small function per method."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import attrs
import trio

from pyvirt_trio.driver.agent import DomainAgent
from pyvirt_trio.driver.hypervisor import Hypervisor
from pyvirt_trio.errors import AgentUnavailableError, DefinitionError, ErrorCode
from pyvirt_trio.models.agent import GuestInfoTypes
from pyvirt_trio.xml.memory import format_cpus

Method = Callable[..., Awaitable[Any]]

NS_PER_S = 1_000_000_000


def _agent(hypervisor: Hypervisor, domain: str) -> DomainAgent:
    return hypervisor.domain(domain).agent


async def _command(
    hypervisor: Hypervisor,
    domain: str,
    command: str,
    arguments: Mapping[str, Any] | None = None,
    timeout_s: float | None = None,
) -> Any:
    with trio.move_on_after(float("inf") if timeout_s is None else timeout_s):
        return await _agent(hypervisor, domain).command(command, arguments)
    raise AgentUnavailableError(
        "Guest agent is not responding: guest agent didn't respond to "
        f"'{command}' command within '{timeout_s}' seconds"
    )


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


async def _info(hypervisor: Hypervisor, domain: str, types: int = 0) -> Mapping[str, Any]:
    try:
        wanted = GuestInfoTypes(types)
    except (ValueError, TypeError):
        what = hex(types) if type(types) is int else types
        raise DefinitionError(
            f"unsupported guest information types '{what}'", code=ErrorCode.INVALID_ARG
        ) from None
    return await _agent(hypervisor, domain).info(wanted)


async def _file_systems(hypervisor: Hypervisor, domain: str) -> list[dict[str, Any]]:
    return [
        {
            "mountpoint": one.mount_point,
            "name": one.name,
            "type": one.kind,
            "targets": [disk.disk_target for disk in one.disks if disk.disk_target is not None],
        }
        for one in await _agent(hypervisor, domain).file_systems()
    ]


async def _hostname(hypervisor: Hypervisor, domain: str) -> str:
    return await _agent(hypervisor, domain).hostname()


async def _vcpus(hypervisor: Hypervisor, domain: str) -> dict[str, str]:
    """virsh's maps, in libvirt's form."""
    found = await _agent(hypervisor, domain).vcpus()
    chosen = {
        "vcpus": [vcpu.number for vcpu in found],
        "online": [vcpu.number for vcpu in found if vcpu.is_online],
        "offlinable": [vcpu.number for vcpu in found if vcpu.can_go_offline],
    }
    return {name: format_cpus(tuple(numbers)) for name, numbers in chosen.items()}


async def _set_vcpus(hypervisor: Hypervisor, domain: str, cpulist: str, *, enable: bool) -> None:
    await _agent(hypervisor, domain).set_vcpus(str(cpulist), enabled=enable)


async def _vcpu_count(hypervisor: Hypervisor, domain: str) -> int:
    return await _agent(hypervisor, domain).vcpu_count()


async def _set_vcpu_count(hypervisor: Hypervisor, domain: str, count: int) -> None:
    if type(count) is not int:  # a client may say anything
        raise DefinitionError(f"invalid count {count!r}", code=ErrorCode.INVALID_ARG)
    await _agent(hypervisor, domain).set_vcpu_count(count)


async def _time(hypervisor: Hypervisor, domain: str) -> int:
    return await _agent(hypervisor, domain).time_ns()


async def _set_time(hypervisor: Hypervisor, domain: str, to: int | str) -> None:
    """Nanoseconds since 1970-01-01 UTC; ``now`` is the host's clock, ``machine`` the machine's."""
    agent = _agent(hypervisor, domain)
    if to == "now":
        await agent.set_time(round(hypervisor.host.wall_clock_s() * NS_PER_S))
    elif to == "machine":
        await agent.set_time(None)
    elif type(to) is int:
        await agent.set_time(to)
    else:
        raise DefinitionError(f"invalid time {to!r}", code=ErrorCode.INVALID_ARG)


async def _get_keys(hypervisor: Hypervisor, domain: str, user: str) -> list[str]:
    return list(await _agent(hypervisor, domain).ssh_keys(user))


async def _set_keys(
    hypervisor: Hypervisor,
    domain: str,
    user: str,
    keys: list[str],
    *,
    reset: bool = False,
    remove: bool = False,
) -> None:
    agent = _agent(hypervisor, domain)
    if remove:
        await agent.remove_ssh_keys(user, keys)
    else:
        await agent.add_ssh_keys(user, keys, reset=reset)


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
    "domfsinfo": _file_systems,
    "guestinfo": _info,
    "domhostname": _hostname,
    "guestvcpus": _vcpus,
    "guestvcpus-set": _set_vcpus,
    "vcpucount-guest": _vcpu_count,
    "setvcpus-guest": _set_vcpu_count,
    "domtime": _time,
    "domtime-set": _set_time,
    "guest-exec": _exec,
    "set-user-password": _set_password,
    "get-user-sshkeys": _get_keys,
    "set-user-sshkeys": _set_keys,
}
