"""What a client can ask about a domain's disks: one small function per method."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from pyvirt_trio.daemon.impacts import impact_of
from pyvirt_trio.driver.hypervisor import Hypervisor
from pyvirt_trio.models.impact import Impact


async def _pull(hypervisor: Hypervisor, domain: str, disk: str, *, bytes_per_s: int = 0) -> None:
    await hypervisor.domain(domain).block_pull(disk, bytes_per_s=bytes_per_s)


async def _job_info(hypervisor: Hypervisor, domain: str, disk: str) -> dict[str, Any] | None:
    info = await hypervisor.domain(domain).block_job_info(disk)
    if info is None:
        return None
    return {
        "type": info.type.name.lower(),
        "done": info.done,
        "total": info.total,
        "bytes_per_s": info.bytes_per_s,
    }


async def _job_abort(hypervisor: Hypervisor, domain: str, disk: str, *, wait: bool = True) -> None:
    await hypervisor.domain(domain).block_job_abort(disk, wait=wait)


async def _job_speed(hypervisor: Hypervisor, domain: str, disk: str, bytes_per_s: int) -> None:
    await hypervisor.domain(domain).block_job_set_speed(disk, bytes_per_s)


async def _threshold(hypervisor: Hypervisor, domain: str, disk: str, threshold_bytes: int) -> None:
    await hypervisor.domain(domain).set_block_threshold(disk, threshold_bytes)


async def _tune(
    hypervisor: Hypervisor,
    domain: str,
    disk: str,
    changes: dict[str, int | str] | None = None,
    impact: int = 0,
) -> dict[str, Any]:
    found, wanted = hypervisor.domain(domain), impact_of(impact)
    if changes:
        await found.set_block_io_tune(disk, changes, wanted)
    return attrs.asdict(found.block_io_tune(disk, inactive=wanted is Impact.CONFIG))


METHODS: dict[str, Callable[..., Awaitable[Any]]] = {
    "blockpull": _pull,
    "blockjob-info": _job_info,
    "blockjob-abort": _job_abort,
    "blockjob-speed": _job_speed,
    "domblkthreshold": _threshold,
    "blkdeviotune": _tune,
}
"""Named after virsh's commands."""
