"""What a client can ask of a domain's virtual processors: one small function per method."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from pyvirt_trio.daemon.impacts import impact_of
from pyvirt_trio.driver.hypervisor import Hypervisor
from pyvirt_trio.errors import DefinitionError, ErrorCode, InvalidStateError
from pyvirt_trio.models.impact import Impact

_TARGETS = {"config": Impact.CONFIG, "live": Impact.LIVE}
_TYPES = {"maximum": True, "current": False}


async def _setvcpus(
    hypervisor: Hypervisor,
    domain: str,
    count: int,
    *,
    impact: int = 0,
    maximum: bool = False,
    hotpluggable: bool = False,
) -> None:
    found = hypervisor.domain(domain)
    if type(count) is not int:  # a client may say anything
        raise DefinitionError(f"invalid count {count!r}", code=ErrorCode.INVALID_ARG)
    if maximum:
        await found.set_max_vcpus(count, impact_of(impact))
    else:
        await found.set_vcpus(count, impact_of(impact), hotpluggable=hotpluggable)


async def _setvcpu(
    hypervisor: Hypervisor, domain: str, vcpulist: str, *, enable: bool, impact: int = 0
) -> None:
    wanted = str(vcpulist)
    await hypervisor.domain(domain).set_vcpu(wanted, enabled=enable, impact=impact_of(impact))


async def _vcpucount(hypervisor: Hypervisor, domain: str) -> dict[str, dict[str, int]]:
    """How many there are and may be, as far as the domain has a definition of that kind."""
    found = hypervisor.domain(domain)
    counts: dict[str, dict[str, int]] = {name: {} for name in _TYPES}
    for target, impact in _TARGETS.items():
        for name, is_maximum in _TYPES.items():
            try:
                counts[name][target] = found.vcpu_count(impact, maximum=is_maximum)
            except InvalidStateError:
                continue
    return counts


async def _vcpuinfo(hypervisor: Hypervisor, domain: str) -> list[dict[str, Any]]:
    return [attrs.asdict(one) for one in await hypervisor.domain(domain).vcpus()]


METHODS: dict[str, Callable[..., Awaitable[Any]]] = {
    "setvcpus": _setvcpus,
    "setvcpu": _setvcpu,
    "vcpucount": _vcpucount,
    "vcpuinfo": _vcpuinfo,
}
"""Named as virsh names them."""
