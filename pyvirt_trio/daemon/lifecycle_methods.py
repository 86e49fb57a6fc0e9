"""What a client can call about lives: one small function per method."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pyvirt_trio.daemon.impacts import impact_of
from pyvirt_trio.driver.hypervisor import Hypervisor
from pyvirt_trio.errors import DefinitionError, ErrorCode
from pyvirt_trio.models.agent import GuestSuspendTarget
from pyvirt_trio.models.impact import Impact
from pyvirt_trio.models.lifecycle import ShutdownMode

_SLEEPS = {
    "mem": GuestSuspendTarget.MEMORY,
    "disk": GuestSuspendTarget.DISK,
    "hybrid": GuestSuspendTarget.HYBRID,
}
"""virsh's words for where a guest keeps its state."""


def _mode(mode: object) -> ShutdownMode:
    """One of virsh's words, or two with a comma, in any order."""
    words = set(str(mode).split(","))
    for one in ShutdownMode:
        if set(one.value.split(",")) == words:
            return one
    raise DefinitionError(
        f"unknown mode {mode!r}, expected 'acpi', 'agent' or both", code=ErrorCode.INVALID_ARG
    )


async def _undefine(hypervisor: Hypervisor, domain: str, *, managed_save: bool = False) -> None:
    await hypervisor.domain(domain).undefine(managed_save=managed_save)


async def _start(
    hypervisor: Hypervisor,
    domain: str,
    *,
    paused: bool = False,
    force_boot: bool = False,
    autodestroy: bool = False,
) -> str:
    del autodestroy  # the connection sees to it
    await hypervisor.domain(domain).start(paused=paused, force_boot=force_boot)
    return domain


async def _create(
    hypervisor: Hypervisor, xml: str, *, paused: bool = False, autodestroy: bool = False
) -> str:
    del autodestroy  # the connection sees to it
    return (await hypervisor.create(xml, paused=paused)).name


async def _shutdown(hypervisor: Hypervisor, domain: str, *, mode: str = "acpi") -> None:
    await hypervisor.domain(domain).shutdown(mode=_mode(mode))


async def _reboot(hypervisor: Hypervisor, domain: str, *, mode: str = "acpi") -> None:
    await hypervisor.domain(domain).reboot(mode=_mode(mode))


async def _reset(hypervisor: Hypervisor, domain: str) -> None:
    await hypervisor.domain(domain).reset()


async def _destroy(hypervisor: Hypervisor, domain: str, *, graceful: bool = False) -> None:
    await hypervisor.domain(domain).destroy(graceful=graceful)


async def _suspend(hypervisor: Hypervisor, domain: str) -> None:
    await hypervisor.domain(domain).suspend()


async def _resume(hypervisor: Hypervisor, domain: str) -> None:
    await hypervisor.domain(domain).resume()


async def _pm_suspend(
    hypervisor: Hypervisor, domain: str, target: str, *, duration_s: int = 0
) -> None:
    if duration_s:
        raise DefinitionError(
            "Duration not supported. Use 0 for now", code=ErrorCode.ARGUMENT_UNSUPPORTED
        )
    if target not in _SLEEPS:
        raise DefinitionError(
            f"Invalid target {target!r}, expected mem, disk or hybrid", code=ErrorCode.INVALID_ARG
        )
    await hypervisor.domain(domain).agent.suspend(_SLEEPS[target])


async def _pm_wakeup(hypervisor: Hypervisor, domain: str) -> None:
    await hypervisor.domain(domain).pm_wakeup()


async def _save(
    hypervisor: Hypervisor, domain: str, path: str, *, running: bool | None = None
) -> None:
    await hypervisor.domain(domain).save(path, running=running)


async def _restore(hypervisor: Hypervisor, path: str, *, running: bool | None = None) -> str:
    return (await hypervisor.restore_domain(path, running=running)).name


async def _managed_save(
    hypervisor: Hypervisor, domain: str, *, running: bool | None = None
) -> None:
    await hypervisor.domain(domain).managed_save(running=running)


async def _managed_save_remove(hypervisor: Hypervisor, domain: str) -> None:
    await hypervisor.domain(domain).remove_managed_save()


async def _dump(
    hypervisor: Hypervisor,
    domain: str,
    path: str,
    *,
    live: bool = False,
    crash: bool = False,
    reset: bool = False,
    memory_only: bool = True,
) -> None:
    await hypervisor.domain(domain).core_dump(
        path, live=live, crash=crash, reset=reset, memory_only=memory_only
    )


async def _send_key(
    hypervisor: Hypervisor, domain: str, keys: list[str], *, hold_ms: int = 0
) -> None:
    await hypervisor.domain(domain).send_keys(keys, hold_ms=hold_ms)


async def _inject_nmi(hypervisor: Hypervisor, domain: str) -> None:
    await hypervisor.domain(domain).inject_nmi()


async def _screenshot(hypervisor: Hypervisor, domain: str, path: str, *, screen: int = 0) -> str:
    if type(screen) is not int:  # a client may say anything
        raise DefinitionError(f"invalid screen {screen!r}", code=ErrorCode.INVALID_ARG)
    return await hypervisor.domain(domain).save_screenshot(path, screen=screen)


async def _autostart(hypervisor: Hypervisor, domain: str, *, disable: bool = False) -> None:
    await hypervisor.domain(domain).set_autostart(not disable)


async def _rename(hypervisor: Hypervisor, domain: str, name: str) -> None:
    await hypervisor.domain(domain).rename(name)


async def _desc(
    hypervisor: Hypervisor,
    domain: str,
    *,
    text: str | None = None,
    title: bool = False,
    impact: int = 0,
) -> str | None:
    found = hypervisor.domain(domain)
    if text is not None:
        change = found.set_title if title else found.set_description
        await change(text, impact_of(impact))
        return text
    return found.definition.title if title else found.definition.description


async def _metadata(
    hypervisor: Hypervisor,
    domain: str,
    uri: str,
    *,
    key: str = "",
    xml: str | None = None,
    remove: bool = False,
    impact: int = 0,
) -> str | None:
    found = hypervisor.domain(domain)
    if xml is None and not remove:
        return found.metadata(uri, inactive=impact_of(impact) is Impact.CONFIG)
    await found.set_metadata(uri, xml, key=key, impact=impact_of(impact))
    return xml


async def _info(hypervisor: Hypervisor, domain: str) -> dict[str, Any]:
    found = hypervisor.domain(domain)
    info = await found.info()
    return {
        "id": found.view.id,
        "name": found.name,
        "uuid": str(found.uuid),
        "state": info.status.state.name.lower(),
        "vcpus": info.vcpu_count,
        "cpu_time_ns": info.cpu_time_ns,
        "max_memory_kib": info.max_memory_kib,
        "memory_kib": info.memory_kib,
        "persistent": found.is_persistent,
        "autostart": found.is_autostart,
        "managed_save": found.has_managed_save,
    }


async def _job_info(
    hypervisor: Hypervisor, domain: str, *, completed: bool = False, keep_completed: bool = False
) -> dict[str, Any]:
    found = await hypervisor.domain(domain).job_info(
        completed=completed, keep_completed=keep_completed
    )
    return {
        "type": found.type.name.lower(),
        "operation": found.operation.name.lower(),
        "numbers": dict(found.numbers),
    }


async def _job_abort(hypervisor: Hypervisor, domain: str) -> None:
    await hypervisor.domain(domain).abort_job()


async def _stats(hypervisor: Hypervisor, domain: str | None = None) -> list[dict[str, Any]]:
    chosen = hypervisor.domains() if domain is None else [hypervisor.domain(domain)]
    return [{"name": one.name, "statistics": await one.statistics()} for one in chosen]


METHODS: dict[str, Callable[..., Awaitable[Any]]] = {
    "undefine": _undefine,
    "start": _start,
    "create": _create,
    "shutdown": _shutdown,
    "reboot": _reboot,
    "reset": _reset,
    "destroy": _destroy,
    "suspend": _suspend,
    "resume": _resume,
    "dompmsuspend": _pm_suspend,
    "dompmwakeup": _pm_wakeup,
    "save": _save,
    "restore": _restore,
    "managedsave": _managed_save,
    "managedsave-remove": _managed_save_remove,
    "dump": _dump,
    "send-key": _send_key,
    "inject-nmi": _inject_nmi,
    "screenshot": _screenshot,
    "autostart": _autostart,
    "domrename": _rename,
    "desc": _desc,
    "metadata": _metadata,
    "dominfo": _info,
    "domstats": _stats,
    "domjobinfo": _job_info,
    "domjobabort": _job_abort,
}
"""Named as on the command line, which names them as virsh does."""
