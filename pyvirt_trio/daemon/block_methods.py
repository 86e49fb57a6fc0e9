"""What a client can ask about a domain's disks: one small function per method."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pyvirt_trio.driver.hypervisor import Hypervisor


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


METHODS: dict[str, Callable[..., Awaitable[Any]]] = {
    "blockpull": _pull,
    "blockjob-info": _job_info,
    "blockjob-abort": _job_abort,
    "blockjob-speed": _job_speed,
    "domblkthreshold": _threshold,
}
"""Named after virsh's commands."""
