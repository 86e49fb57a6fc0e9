"""Commands about a domain's disks: jobs on them, and marks in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from cyclopts import Parameter

from pyvirt_trio.cli.flags import Flag, impact_of
from pyvirt_trio.cli.session import Hidden
from pyvirt_trio.errors import DefinitionError, ErrorCode


def blockpull(domain: str, path: str, bandwidth: int = 0, *, session: Hidden) -> None:
    """Copy what a disk's image has behind it into it, while the domain runs.

    Args:
        domain: Its name.
        path: The disk's target, such as vda, or the path of its image.
        bandwidth: At most so many bytes a second; 0 is no limit.
        session: Given by the launcher.
    """
    session.call(
        lambda _: "Block Pull started",
        "blockpull",
        domain=domain,
        disk=path,
        bytes_per_s=bandwidth,
    )


def blockjob(
    domain: str,
    path: str,
    bandwidth: int | None = None,
    *,
    abort: Flag = False,
    is_async: Annotated[bool, Parameter("--async", negative="")] = False,
    info: Flag = False,
    session: Hidden,
) -> None:
    """Tell how far the job on a disk is, end it, or limit its speed.

    Args:
        domain: Its name.
        path: The disk's target, such as vda, or the path of its image.
        bandwidth: From now on at most so many bytes a second; 0 is no limit.
        abort: End it.
        is_async: Do not wait for its end.
        info: Tell how far it is, which is also what happens without another wish.
        session: Given by the launcher.
    """
    if abort + info + (bandwidth is not None) > 1 or (is_async and not abort):
        raise DefinitionError(
            "only one of --info, --abort and a bandwidth can be asked for, and --async goes with "
            "--abort",
            code=ErrorCode.INVALID_ARG,
        )
    disk = {"domain": domain, "disk": path}
    if abort:
        session.call(lambda _: "", "blockjob-abort", **disk, wait=not is_async)
    elif bandwidth is not None:
        session.call(lambda _: "", "blockjob-speed", **disk, bytes_per_s=bandwidth)
    else:
        session.call(lambda found: _progress(path, found), "blockjob-info", **disk)


def _progress(path: str, found: dict[str, Any] | None) -> str:
    if found is None:
        return f"No current block job for {path}"
    total = found["total"]
    percent = 100 * found["done"] / total if total else 0
    limit = f"    Bandwidth limit: {found['bytes_per_s']} bytes/s" if found["bytes_per_s"] else ""
    return f"Block {found['type'].title()}: [{percent:6.2f} %]{limit}"


def domblkthreshold(domain: str, dev: str, threshold: int, *, session: Hidden) -> None:
    """Have it told once when the guest writes beyond a mark in a disk's image.

    Args:
        domain: Its name.
        dev: The disk's target, such as vda.
        threshold: The mark, in bytes from the beginning of the image's file.
        session: Given by the launcher.
    """
    session.call(
        lambda _: "", "domblkthreshold", domain=domain, disk=dev, threshold_bytes=threshold
    )


def blkdeviotune(
    domain: str,
    device: str,
    *limits: str,
    live: Flag = False,
    config: Flag = False,
    session: Hidden,
) -> None:
    """Print or set how much a guest may read and write of a disk in a second.

    Args:
        domain: Its name.
        device: The disk's target, such as vda, or the path of its image.
        limits: NAME=VALUE each, such as total-bytes-sec=1000000; 0 takes a limit away. The names
            are virsh's options.
        live: Of the running machine, as without --config while it runs.
        config: Of what the next start uses.
        session: Given by the launcher.
    """
    changes: dict[str, int | str] = {}
    for limit in limits:
        name, sign, value = limit.replace("-", "_").partition("=")
        if not sign:
            raise DefinitionError(f"expected NAME=VALUE, not {limit!r}", code=ErrorCode.INVALID_ARG)
        changes[name] = int(value) if value.isdecimal() else limit.partition("=")[2]
    session.call(
        lambda found: "\n".join(f"{key:26}: {value}" for key, value in found.items()),
        "blkdeviotune",
        domain=domain,
        disk=device,
        changes=changes or None,
        impact=impact_of(live=live, config=config),
    )


COMMANDS: dict[str, Callable[..., None]] = {
    "blockpull": blockpull,
    "blockjob": blockjob,
    "domblkthreshold": domblkthreshold,
    "blkdeviotune": blkdeviotune,
}
