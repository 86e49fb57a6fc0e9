"""What a client can call: one small function per method."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pyvirt_trio.daemon import (
    agent_methods,
    block_methods,
    lifecycle_methods,
    looking_methods,
    vcpu_methods,
)
from pyvirt_trio.daemon.impacts import impact_of
from pyvirt_trio.driver.domain import Domain
from pyvirt_trio.driver.hypervisor import Hypervisor
from pyvirt_trio.errors import DefinitionError, ErrorCode
from pyvirt_trio.host.nodedev import list_node_devices
from pyvirt_trio.xml.devices import format_device

Method = Callable[..., Awaitable[Any]]


def _summary(domain: Domain) -> dict[str, Any]:
    return {
        "name": domain.name,
        "uuid": str(domain.uuid),
        "id": domain.view.id,
        "state": domain.status.state.name.lower(),
        "reason": domain.status.reason.name.lower(),
        "persistent": domain.is_persistent,
        "autostart": domain.is_autostart,
        "managed_save": domain.has_managed_save,
        "title": domain.definition.title,
    }


async def _list(hypervisor: Hypervisor) -> list[dict[str, Any]]:
    return [_summary(domain) for domain in hypervisor.domains()]


async def _define(hypervisor: Hypervisor, xml: str) -> dict[str, Any]:
    return _summary(await hypervisor.define(xml))


async def _state(hypervisor: Hypervisor, domain: str) -> dict[str, Any]:
    return _summary(hypervisor.domain(domain))


async def _dumpxml(
    hypervisor: Hypervisor, domain: str, *, inactive: bool = False, secure: bool = False
) -> str:
    return hypervisor.domain(domain).xml(inactive=inactive, secure=secure)


async def _attach(
    hypervisor: Hypervisor, domain: str, xml: str, *, impact: int = 0
) -> dict[str, Any]:
    device = await hypervisor.domain(domain).attach_device(xml, impact_of(impact))
    return {"alias": device.alias, "xml": format_device(device)}


async def _detach(hypervisor: Hypervisor, domain: str, device: str, *, impact: int = 0) -> None:
    await hypervisor.domain(domain).detach_device(device, impact_of(impact))


async def _request_detach(
    hypervisor: Hypervisor, domain: str, alias: str, *, impact: int = 0
) -> None:
    await hypervisor.domain(domain).request_detach(alias, impact_of(impact))


async def _update(
    hypervisor: Hypervisor, domain: str, xml: str, *, impact: int = 0
) -> dict[str, Any]:
    device = await hypervisor.domain(domain).update_device(xml, impact_of(impact))
    return {"alias": device.alias, "xml": format_device(device)}


async def _nodedev_list(hypervisor: Hypervisor) -> list[dict[str, Any]]:
    described = await list_node_devices(hypervisor.host)
    active, inactive = hypervisor.host_devices.active, hypervisor.host_devices.inactive
    return [
        {
            "name": one.name,
            "driver": one.driver,
            "list": "active"
            if one.address in active
            else "inactive"
            if one.address in inactive
            else None,
        }
        for one in described
    ]


async def _nodedev_dumpxml(hypervisor: Hypervisor, device: str) -> str:
    return await (await hypervisor.node_device(device)).xml()


async def _nodedev_detach(
    hypervisor: Hypervisor,
    device: str,
    *,
    driver: str | None = None,
    flags: int = 0,
    force: bool = False,
) -> None:
    node_device = await hypervisor.node_device(device)
    if flags != 0:
        raise DefinitionError(f"unsupported flags ({flags!r})", code=ErrorCode.INVALID_ARG)
    await node_device.detach(driver=driver, force=force)


async def _nodedev_reattach(hypervisor: Hypervisor, device: str, *, force: bool = False) -> None:
    await (await hypervisor.node_device(device)).reattach(force=force)


async def _nodedev_reset(hypervisor: Hypervisor, device: str, *, force: bool = False) -> None:
    await (await hypervisor.node_device(device)).reset(force=force)


METHODS: dict[str, Method] = {
    "list": _list,
    "define": _define,
    "domstate": _state,
    "dumpxml": _dumpxml,
    "attach-device": _attach,
    "detach-device": _detach,
    "detach-device-alias": _request_detach,
    "update-device": _update,
    **looking_methods.METHODS,
    **lifecycle_methods.METHODS,
    **vcpu_methods.METHODS,
    **block_methods.METHODS,
    **agent_methods.METHODS,
    "nodedev-list": _nodedev_list,
    "nodedev-dumpxml": _nodedev_dumpxml,
    "nodedev-detach": _nodedev_detach,
    "nodedev-reattach": _nodedev_reattach,
    "nodedev-reset": _nodedev_reset,
}
"""Named as on the command line, which names them as virsh does."""
