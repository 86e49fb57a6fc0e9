"""What a client can ask that a definition answers, and small changes of one device of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from pyvirt_trio.daemon.impacts import impact_of
from pyvirt_trio.driver.hypervisor import Hypervisor
from pyvirt_trio.errors import DefinitionError, ErrorCode, InvalidStateError, NotFoundError
from pyvirt_trio.models.devices import Disk, Interface
from pyvirt_trio.models.display import Graphics
from pyvirt_trio.models.impact import Impact
from pyvirt_trio.xml.devices import format_device


async def _disks(
    hypervisor: Hypervisor, domain: str, *, inactive: bool = False
) -> list[dict[str, Any]]:
    found = hypervisor.domain(domain).definition_of(inactive=inactive)
    return [
        {
            "type": "file",
            "device": "cdrom" if disk.is_cdrom else "disk",
            "target": disk.target,
            "source": disk.source_file,
        }
        for disk in found.devices
        if isinstance(disk, Disk)
    ]


async def _interfaces(
    hypervisor: Hypervisor, domain: str, *, inactive: bool = False
) -> list[dict[str, Any]]:
    found = hypervisor.domain(domain).definition_of(inactive=inactive)
    return [
        {
            "type": card.kind,
            "source": card.source,
            "model": "virtio",
            "mac": card.mac,
            "is_up": card.is_link_up,
        }
        for card in found.devices
        if isinstance(card, Interface)
    ]


async def _displays(hypervisor: Hypervisor, domain: str) -> list[dict[str, Any]]:
    found = hypervisor.domain(domain)
    if found.view.live is None:
        raise InvalidStateError("Domain is not running")
    return [
        {"type": one.kind, "listen": listen.kind, "where": listen.where, "port": one.port}
        for one in found.view.live.devices
        if isinstance(one, Graphics)
        for listen in one.listens[:1]
    ]


async def _control(hypervisor: Hypervisor, domain: str) -> str:
    job = hypervisor.domain(domain).job
    return "ok" if job.active is None and job.active_async is None else "job"


async def _set_link(
    hypervisor: Hypervisor, domain: str, interface: str, *, is_up: bool, impact: int = 0
) -> None:
    found = hypervisor.domain(domain)
    chosen = impact_of(impact)
    for card in found.definition_of(inactive=chosen is Impact.CONFIG).devices:
        if isinstance(card, Interface) and interface in (card.mac, card.alias, card.source):
            changed = attrs.evolve(card, is_link_up=is_up)
            await found.update_device(format_device(changed), chosen)
            return
    raise NotFoundError(
        f"interface (target: {interface}) not found", code=ErrorCode.OPERATION_INVALID
    )


async def _change_media(
    hypervisor: Hypervisor,
    domain: str,
    path: str,
    *,
    source: str | None = None,
    action: str = "update",
    impact: int = 0,
) -> None:
    found = hypervisor.domain(domain)
    chosen = impact_of(impact)
    definition = found.definition_of(inactive=chosen is Impact.CONFIG)
    for disk in definition.devices:
        if isinstance(disk, Disk) and path in (disk.target, disk.source_file):
            changed = attrs.evolve(disk, source_file=_medium(disk, source, action))
            await found.update_device(format_device(changed), chosen)
            return
    raise NotFoundError(
        f"No disk found whose source path or target is {path}", code=ErrorCode.OPERATION_INVALID
    )


def _medium(disk: Disk, source: str | None, action: str) -> str | None:
    """What is in the drive afterwards, by virsh's rules and words."""
    if not disk.is_cdrom:
        raise _wrong(f"The disk device '{disk.target}' is not removable")
    if action not in ("eject", "insert", "update"):
        raise _wrong(f"unknown action {action!r}")
    if action == "eject" and source is not None:
        raise _wrong("No source is to be specified for ejecting")
    if action != "eject" and source is None:
        raise _wrong(f"No disk source specified for {action.removesuffix('e')}ing")
    if action == "eject" and disk.source_file is None:
        raise _wrong(f"The disk device '{disk.target}' doesn't have media")
    if action == "insert" and disk.source_file is not None:
        raise _wrong(f"The disk device '{disk.target}' already has media")
    return source


def _wrong(message: str) -> DefinitionError:
    return DefinitionError(message, code=ErrorCode.INVALID_ARG)


METHODS: dict[str, Callable[..., Awaitable[Any]]] = {
    "domblklist": _disks,
    "domiflist": _interfaces,
    "domdisplay": _displays,
    "domcontrol": _control,
    "domif-setlink": _set_link,
    "change-media": _change_media,
}
"""Named as virsh names them."""
