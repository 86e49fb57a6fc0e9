"""Commands that print what a domain's guest agent knows, and set what it can set."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pyvirt_trio.cli.flags import Flag
from pyvirt_trio.cli.session import Hidden
from pyvirt_trio.errors import DefinitionError, ErrorCode
from pyvirt_trio.models.agent import GuestInfoTypes

NS_PER_S = 1_000_000_000


def domfsinfo(domain: str, *, session: Hidden) -> None:
    """List the guest's mounted file systems, and the domain's disks that they are on.

    Args:
        domain: Its name.
        session: Given by the launcher.
    """

    def table(found: list[dict[str, Any]]) -> str:
        if not found:
            return "No filesystems are mounted in the domain"
        rows = [f" {'Mountpoint':20} {'Name':10} {'Type':8} Target", "-" * 50]
        rows += [
            f" {one['mountpoint']:20} {one['name']:10} {one['type']:8} {','.join(one['targets'])}"
            for one in found
        ]
        return "\n".join(row.rstrip() for row in rows)

    session.call(table, "domfsinfo", domain=domain)


def domifaddr(
    domain: str,
    interface: str | None = None,
    *,
    full: Flag = False,
    source: str = "agent",
    session: Hidden,
) -> None:
    """List the addresses of a guest's network interfaces.

    Args:
        domain: Its name.
        interface: Only this one.
        full: Repeat the interface in each line.
        source: Whom to ask; only the agent knows here.
        session: Given by the launcher.
    """
    _require_agent(source)

    def table(found: list[dict[str, Any]]) -> str:
        rows = [_address_row("Name", "MAC address", "Protocol", "Address"), "-" * 60]
        for one in found:
            if interface in (None, one["name"]):
                rows += _address_rows(one, full=full)
        return "\n".join(rows)

    session.call(table, "domifaddr-agent", domain=domain)


def _require_agent(source: str) -> None:
    if source != "agent":
        raise DefinitionError(
            f"Unknown data source '{source}', only 'agent' is known", code=ErrorCode.INVALID_ARG
        )


def _address_row(*columns: str) -> str:
    name, mac, protocol, address = columns
    return f" {name:10} {mac:20} {protocol:9} {address}"


def _address_rows(one: dict[str, Any], *, full: bool) -> list[str]:
    name, mac = one["name"], one["mac"] or "-"
    rows: list[str] = []
    for ip in one["addresses"]:
        rows.append(_address_row(name, mac, ip["kind"], f"{ip['address']}/{ip['prefix']}"))
        if not full:
            name = mac = "-"
    return rows or [_address_row(name, mac, "-", "-")]


def domhostname(domain: str, *, source: str = "agent", session: Hidden) -> None:
    """Print the guest's own name.

    Args:
        domain: Its name.
        source: Whom to ask; only the agent knows here.
        session: Given by the launcher.
    """
    _require_agent(source)
    session.call(str, "domhostname", domain=domain)


def guestinfo(
    domain: str,
    *,
    user: Flag = False,
    os: Flag = False,
    timezone: Flag = False,
    hostname: Flag = False,
    filesystem: Flag = False,
    disk: Flag = False,
    interface: Flag = False,
    session: Hidden,
) -> None:
    """Print what the agent tells of its guest: all it can, or what is asked for.

    Args:
        domain: Its name.
        user: Who is logged in.
        os: The operating system.
        timezone: The time zone.
        hostname: The guest's own name.
        filesystem: The mounted file systems.
        disk: The disks.
        interface: The network interfaces.
        session: Given by the launcher.
    """
    wanted = GuestInfoTypes.EVERYTHING
    for kind, is_wanted in (
        (GuestInfoTypes.USERS, user),
        (GuestInfoTypes.OS, os),
        (GuestInfoTypes.TIMEZONE, timezone),
        (GuestInfoTypes.HOSTNAME, hostname),
        (GuestInfoTypes.FILESYSTEM, filesystem),
        (GuestInfoTypes.DISKS, disk),
        (GuestInfoTypes.INTERFACES, interface),
    ):
        if is_wanted:
            wanted |= kind
    session.call(_facts, "guestinfo", domain=domain, types=wanted.value)


def _facts(found: dict[str, Any]) -> str:
    said = {True: "yes", False: "no"}
    return "\n".join(
        f"{key:20}: {said[value] if isinstance(value, bool) else value}"
        for key, value in found.items()
    )


def guestvcpus(
    domain: str,
    *,
    cpulist: str | None = None,
    enable: Flag = False,
    disable: Flag = False,
    session: Hidden,
) -> None:
    """Print or change which of its virtual processors a guest uses.

    Args:
        domain: Its name.
        cpulist: Those to change, such as 1 or 2-4,^3.
        enable: The guest is to use them.
        disable: It is to do without them.
        session: Given by the launcher.
    """
    if cpulist is None and not (enable or disable):

        def say(maps: dict[str, str]) -> str:
            return "\n".join(f"{name:15}: {numbers}" for name, numbers in maps.items())

        session.call(say, "guestvcpus", domain=domain)
        return
    if cpulist is None or enable == disable:
        raise DefinitionError(
            "options --enable or --disable, one of them, and --cpulist belong together",
            code=ErrorCode.INVALID_ARG,
        )
    session.call(lambda _: "", "guestvcpus-set", domain=domain, cpulist=cpulist, enable=enable)


def domtime(
    domain: str,
    *,
    time: int | None = None,
    now: Flag = False,
    sync: Flag = False,
    pretty: Flag = False,
    session: Hidden,
) -> None:
    """Print or set the guest's clock.

    Args:
        domain: Its name.
        time: Seconds since 1970-01-01 UTC to set it to.
        now: Set it to the host's clock.
        sync: Set it to the clock of its own machine.
        pretty: Print it for people.
        session: Given by the launcher.
    """
    given = [
        value
        for value, is_given in (
            (None if time is None else time * NS_PER_S, time is not None),
            ("now", now),
            ("machine", sync),
        )
        if is_given
    ]
    if len(given) > 1:
        raise DefinitionError(
            "options --time, --now and --sync exclude each other", code=ErrorCode.INVALID_ARG
        )
    if given:
        session.call(lambda _: "", "domtime-set", domain=domain, to=given[0])
        return

    def say(time_ns: int) -> str:
        moment = datetime.fromtimestamp(time_ns // NS_PER_S, UTC)
        return f"Time: {moment:%Y-%m-%d %H:%M:%S}" if pretty else f"Time: {time_ns // NS_PER_S}"

    session.call(say, "domtime", domain=domain)


COMMANDS: dict[str, Callable[..., None]] = {
    "domfsinfo": domfsinfo,
    "domifaddr": domifaddr,
    "domhostname": domhostname,
    "guestinfo": guestinfo,
    "guestvcpus": guestvcpus,
    "domtime": domtime,
}
