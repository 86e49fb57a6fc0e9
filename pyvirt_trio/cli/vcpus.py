"""Commands for the virtual processors of a domain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyvirt_trio.cli.flags import Flag, impact_of
from pyvirt_trio.cli.session import Hidden
from pyvirt_trio.errors import DefinitionError, ErrorCode

NS_PER_S = 1_000_000_000


def setvcpus(
    domain: str,
    count: int,
    *,
    maximum: Flag = False,
    config: Flag = False,
    live: Flag = False,
    hotpluggable: Flag = False,
    guest: Flag = False,
    session: Hidden,
) -> None:
    """Change how many virtual processors a domain has; returns when it has them.

    Args:
        domain: Its name.
        count: How many.
        maximum: How many it may have, from the next start on; needs --config.
        config: In the definition that the next start uses.
        live: In the running machine; both may be given.
        hotpluggable: What the definition gets can be unplugged from a running machine.
        guest: How many of them its guest uses, by its agent.
        session: Given by the launcher.
    """
    if guest:
        if config or maximum or live:
            raise _excluded("guest", "config" if config else "maximum" if maximum else "live")
        session.call(lambda _: "", "setvcpus-guest", domain=domain, count=count)
        return
    session.call(
        lambda _: "",
        "setvcpus",
        domain=domain,
        count=count,
        impact=impact_of(live=live, config=config),
        maximum=maximum,
        hotpluggable=hotpluggable,
    )


def setvcpu(
    domain: str,
    vcpulist: str,
    *,
    enable: Flag = False,
    disable: Flag = False,
    config: Flag = False,
    live: Flag = False,
    session: Hidden,
) -> None:
    """Give a domain certain virtual processors, or take them; returns when that is done.

    Args:
        domain: Its name.
        vcpulist: Their numbers, such as 1 or 2-4,^3; of a running machine, only one.
        enable: They are to be there.
        disable: They are not to be there.
        config: In the definition that the next start uses.
        live: In the running machine; both may be given.
        session: Given by the launcher.
    """
    if enable == disable:
        raise DefinitionError(
            "one of options --enable or --disable is required by command setvcpu",
            code=ErrorCode.INVALID_ARG,
        )
    session.call(
        lambda _: "",
        "setvcpu",
        domain=domain,
        vcpulist=vcpulist,
        enable=enable,
        impact=impact_of(live=live, config=config),
    )


def vcpucount(
    domain: str,
    *,
    maximum: Flag = False,
    active: Flag = False,
    live: Flag = False,
    config: Flag = False,
    current: Flag = False,
    guest: Flag = False,
    session: Hidden,
) -> None:
    """Print how many virtual processors a domain has and may have.

    Args:
        domain: Its name.
        maximum: Only how many it may have.
        active: Only how many it has.
        live: Only of the running machine.
        config: Only of the definition that the next start uses.
        current: Only of the running machine, or of the definition if it is off.
        guest: Only how many of them its guest uses, by its agent.
        session: Given by the launcher.
    """
    if guest:
        if config or maximum:
            raise _excluded("guest", "config" if config else "maximum")
        session.call(str, "vcpucount-guest", domain=domain)
        return

    def say(counts: dict[str, dict[str, int]]) -> str:
        types = [name for name, is_on in (("maximum", maximum), ("current", active)) if is_on]
        targets = [name for name, is_on in (("config", config), ("live", live)) if is_on]
        if current:
            targets = ["live" if "live" in counts["current"] else "config"]
        rows = [
            (kind, target, number)
            for kind, found in counts.items()
            for target, number in found.items()
            if (not types or kind in types) and (not targets or target in targets)
        ]
        if len(types) == len(targets) == 1:
            if not rows:
                raise _not_there(targets[0])
            return str(rows[0][2])
        return "\n".join(f"{kind:12} {target:12} {number:3}" for kind, target, number in rows)

    session.call(say, "vcpucount", domain=domain)


def _excluded(one: str, other: str) -> DefinitionError:
    return DefinitionError(
        f"Options --{one} and --{other} are mutually exclusive", code=ErrorCode.INVALID_ARG
    )


def _not_there(target: str) -> DefinitionError:
    message = (
        "domain is not running"
        if target == "live"
        else "transient domains do not have any persistent config"
    )
    return DefinitionError(message, code=ErrorCode.OPERATION_INVALID)


def vcpuinfo(domain: str, *, session: Hidden) -> None:
    """Print what the virtual processors of a running domain do.

    Args:
        domain: Its name.
        session: Given by the launcher.
    """

    def say(found: list[dict[str, Any]]) -> str:
        return "\n\n".join(_described(one) for one in found)

    session.call(say, "vcpuinfo", domain=domain)


def _described(vcpu: dict[str, Any]) -> str:
    used_ns = vcpu["cpu_time_ns"]
    rows = {
        "VCPU": vcpu["number"],
        "CPU": "N/A" if vcpu["host_cpu"] is None else vcpu["host_cpu"],
        "State": "running",
        "CPU time": "N/A" if used_ns is None else f"{used_ns / NS_PER_S:.1f}s",
    }
    return "\n".join(f"{name + ':':15} {value}" for name, value in rows.items())


COMMANDS: dict[str, Callable[..., None]] = {
    "setvcpus": setvcpus,
    "setvcpu": setvcpu,
    "vcpucount": vcpucount,
    "vcpuinfo": vcpuinfo,
}
