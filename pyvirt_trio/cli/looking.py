"""Commands that print a part of what is known of a domain, and change a medium or a link."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyvirt_trio.cli.flags import Flag, impact_of
from pyvirt_trio.cli.session import Hidden
from pyvirt_trio.errors import DefinitionError, ErrorCode

NS_PER_S = 1_000_000_000
_FIRST_VNC_PORT = 5900
_BLOCK = {
    "rd.reqs": "rd_req",
    "rd.bytes": "rd_bytes",
    "wr.reqs": "wr_req",
    "wr.bytes": "wr_bytes",
    "fl.reqs": "flush_operations",
    "rd.times": "rd_total_times",
    "wr.times": "wr_total_times",
    "fl.times": "flush_total_times",
}
"""libvirt's name of a number in a poll of all domains, and virsh's of the same for one disk."""


def domid(domain: str, *, session: Hidden) -> None:
    """Print a running domain's number, given its name or UUID.

    Args:
        domain: Its name.
        session: Given by the launcher.
    """
    session.call(
        lambda one: "-" if one["id"] is None else str(one["id"]), "domstate", domain=domain
    )


def domname(domain: str, *, session: Hidden) -> None:
    """Print a domain's name, given its number or UUID.

    Args:
        domain: Its name.
        session: Given by the launcher.
    """
    session.call(lambda one: str(one["name"]), "domstate", domain=domain)


def domuuid(domain: str, *, session: Hidden) -> None:
    """Print a domain's UUID, given its name or number.

    Args:
        domain: Its name.
        session: Given by the launcher.
    """
    session.call(lambda one: str(one["uuid"]), "domstate", domain=domain)


def domblklist(
    domain: str, *, inactive: Flag = False, details: Flag = False, session: Hidden
) -> None:
    """List a domain's disks, and what is in them.

    Args:
        domain: Its name.
        inactive: What the next start uses, even when it runs.
        details: With their sort.
        session: Given by the launcher.
    """

    def table(disks: list[dict[str, Any]]) -> str:
        head = ["Type", "Device", "Target", "Source"]
        rows = [[one[key.lower()] or "-" for key in head] for one in disks]
        return _table([head, *rows], first=0 if details else 2)

    session.call(table, "domblklist", domain=domain, inactive=inactive)


def domiflist(domain: str, *, inactive: Flag = False, session: Hidden) -> None:
    """List a domain's network cards.

    Args:
        domain: Its name.
        inactive: What the next start uses, even when it runs.
        session: Given by the launcher.
    """

    def table(cards: list[dict[str, Any]]) -> str:
        rows = [
            ["-", one["type"], one["source"] or "-", one["model"], one["mac"] or "-"]
            for one in cards
        ]
        return _table([["Interface", "Type", "Source", "Model", "MAC"], *rows])

    session.call(table, "domiflist", domain=domain, inactive=inactive)


def _table(rows: list[list[str]], *, first: int = 0) -> str:
    shown = [row[first:] for row in rows]
    widths = [max(len(row[place]) for row in shown) for place in range(len(shown[0]))]
    lines = [
        " "
        + "   ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in shown
    ]
    return "\n".join([lines[0], "-" * (max(map(len, lines)) + 1), *lines[1:]])


def domif_getlink(domain: str, interface: str, *, config: Flag = False, session: Hidden) -> None:
    """Print whether a network card has a cable, as its guest sees it.

    Args:
        domain: Its name.
        interface: The card's address.
        config: In the definition that the next start uses.
        session: Given by the launcher.
    """

    def say(cards: list[dict[str, Any]]) -> str:
        for one in cards:
            if interface in (one["mac"], one["source"]):
                return f"{interface} {'up' if one['is_up'] else 'down'}"
        raise DefinitionError(
            f"Interface '{interface}' not found.", code=ErrorCode.OPERATION_INVALID
        )

    session.call(say, "domiflist", domain=domain, inactive=config)


def domif_setlink(
    domain: str, interface: str, state: str, *, config: Flag = False, session: Hidden
) -> None:
    """Pull a network card's cable, or put it back.

    Args:
        domain: Its name.
        interface: The card's address.
        state: up or down.
        config: In the definition that the next start uses, only.
        session: Given by the launcher.
    """
    if state not in ("up", "down"):
        raise DefinitionError(f"invalid link state '{state}'", code=ErrorCode.INVALID_ARG)
    session.call(
        lambda _: "Device updated successfully",
        "domif-setlink",
        domain=domain,
        interface=interface,
        is_up=state == "up",
        impact=impact_of(live=False, config=config),
    )


def change_media(
    domain: str,
    path: str,
    source: str | None = None,
    *,
    eject: Flag = False,
    insert: Flag = False,
    update: Flag = False,
    live: Flag = False,
    config: Flag = False,
    session: Hidden,
) -> None:
    """Change what is in a CD-ROM drive.

    Args:
        domain: Its name.
        path: The drive's target such as sda, or the file in it.
        source: The file to put in.
        eject: Take out what is in.
        insert: Put it into an empty drive.
        update: Put it in, whatever is in; what is done without any of the three.
        live: In the running machine.
        config: In the definition that the next start uses; both may be given.
        session: Given by the launcher.
    """
    if eject + insert + update > 1:
        raise DefinitionError(
            "--eject, --insert, and --update must be specified exclusively.",
            code=ErrorCode.INVALID_ARG,
        )
    action = "eject" if eject else "insert" if insert else "update"
    done = {"eject": "ejected", "insert": "inserted", "update": "updated"}[action]
    session.call(
        lambda _: f"Successfully {done} media.",
        "change-media",
        domain=domain,
        path=path,
        source=source,
        action=action,
        impact=impact_of(live=live, config=config),
    )


def domdisplay(domain: str, *, kind: str | None = None, session: Hidden) -> None:
    """Print where a running domain's screen can be seen, as a URI.

    Args:
        domain: Its name.
        kind: Only vnc, or only spice.
        session: Given by the launcher.
    """

    def say(displays: list[dict[str, Any]]) -> str:
        found = [_uri(one) for one in displays if kind in (None, one["type"])]
        if not found:
            raise DefinitionError("No graphical display found", code=ErrorCode.INVALID_ARG)
        return found[0]

    session.call(say, "domdisplay", domain=domain)


def _uri(one: dict[str, Any]) -> str:
    if one["listen"] == "socket":
        return f"{one['type']}+unix://{one['where']}"
    port = one["port"] - (_FIRST_VNC_PORT if one["type"] == "vnc" else 0)
    where = one["where"] if one["where"] not in (None, "0.0.0.0", "::") else "localhost"
    host = f"[{where}]" if ":" in where else where
    return f"{one['type']}://{host}:{port}"


def vncdisplay(domain: str, *, session: Hidden) -> None:
    """Print the address of a running domain's VNC server, with VNC's number for its port.

    Args:
        domain: Its name.
        session: Given by the launcher.
    """

    def say(displays: list[dict[str, Any]]) -> str:
        for one in displays:
            if one["type"] == "vnc" and one["listen"] == "socket":
                return str(one["where"])
            if one["type"] == "vnc" and one["port"] is not None:
                host = one["where"] if one["where"] not in (None, "0.0.0.0") else ""
                return f"{f'[{host}]' if ':' in host else host}:{one['port'] - _FIRST_VNC_PORT}"
        raise DefinitionError(
            "Failed to get VNC port. Is this domain using VNC?", code=ErrorCode.INVALID_ARG
        )

    session.call(say, "domdisplay", domain=domain)


def domcontrol(domain: str, *, session: Hidden) -> None:
    """Print whether somebody is changing a domain: job, or ok.

    Args:
        domain: Its name.
        session: Given by the launcher.
    """
    session.call(str, "domcontrol", domain=domain)


def domblkstat(domain: str, device: str | None = None, *, session: Hidden) -> None:
    """Print what a running domain has read and written.

    Args:
        domain: Its name.
        device: A disk's target such as vda; all of them when it is left out.
        session: Given by the launcher.
    """

    def say(answer: list[dict[str, Any]]) -> str:
        numbers = answer[0]["statistics"]
        lines: list[str] = []
        for place in range(numbers["block.count"]):
            target = numbers[f"block.{place}.name"]
            if device in (None, target):
                lines += [
                    f"{target} {virsh} {numbers[f'block.{place}.{name}']}"
                    for name, virsh in _BLOCK.items()
                    if f"block.{place}.{name}" in numbers
                ]
        if not lines:
            raise DefinitionError(f"invalid path: {device}", code=ErrorCode.INVALID_ARG)
        return "\n".join(lines)

    session.call(say, "domstats", domain=domain)


def dommemstat(domain: str, *, session: Hidden) -> None:
    """Print how much memory a domain's guest has, and its QEMU takes, in KiB.

    Args:
        domain: Its name.
        session: Given by the launcher.
    """

    def say(answer: list[dict[str, Any]]) -> str:
        numbers = answer[0]["statistics"]
        names = {"balloon.current": "actual", "balloon.rss": "rss"}
        return "\n".join(
            f"{virsh} {numbers[name]}" for name, virsh in names.items() if name in numbers
        )

    session.call(say, "domstats", domain=domain)


def cpu_stats(domain: str, *, session: Hidden) -> None:
    """Print how long a running domain's QEMU has run.

    Args:
        domain: Its name.
        session: Given by the launcher.
    """

    def say(answer: list[dict[str, Any]]) -> str:
        numbers = answer[0]["statistics"]
        names = {"cpu.time": "cpu_time", "cpu.user": "user_time", "cpu.system": "system_time"}
        if "cpu.time" not in numbers:
            raise DefinitionError("domain is not running", code=ErrorCode.OPERATION_INVALID)
        rows = [
            f"\t{virsh:12} {numbers[name] / NS_PER_S:16.9f} seconds"
            for name, virsh in names.items()
        ]
        return "\n".join(["Total:", *rows])

    session.call(say, "domstats", domain=domain)


COMMANDS: dict[str, Callable[..., None]] = {
    "domid": domid,
    "domname": domname,
    "domuuid": domuuid,
    "domblklist": domblklist,
    "domiflist": domiflist,
    "domif-getlink": domif_getlink,
    "domif-setlink": domif_setlink,
    "change-media": change_media,
    "domdisplay": domdisplay,
    "vncdisplay": vncdisplay,
    "domcontrol": domcontrol,
    "domblkstat": domblkstat,
    "dommemstat": dommemstat,
    "cpu-stats": cpu_stats,
}
