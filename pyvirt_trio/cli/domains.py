"""Commands for domains and their events."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from pyvirt_trio.cli.flags import Flag, impact_of
from pyvirt_trio.cli.session import Hidden, read_file


def list_domains(
    *, everything: Annotated[bool, Parameter("--all", negative="")] = False, session: Hidden
) -> None:
    """List running domains.

    Args:
        everything: Also those that do not run.
        session: Given by the launcher.
    """

    def table(answer: list[dict[str, Any]]) -> str:
        shown = [one for one in answer if everything or one["id"] is not None]
        lines = [f" {'Id':4} {'Name':20} State", "-" * 44]
        lines += [f" {one['id'] or '-':<4} {one['name']:20} {one['state']}" for one in shown]
        return "\n".join(lines)

    session.call(table, "list")


def define(file: Path, *, session: Hidden) -> None:
    """Define a domain, or change its definition, from an XML file.

    Args:
        file: A libvirt domain document.
        session: Given by the launcher.
    """
    xml = read_file(file)
    session.call(lambda one: f"Domain '{one['name']}' defined from {file}", "define", xml=xml)


def dumpxml(
    domain: str,
    *,
    inactive: Annotated[bool, Parameter(negative="")] = False,
    session: Hidden,
) -> None:
    """Print a domain's definition as XML.

    Args:
        domain: Its name.
        inactive: What the next start uses, even when it runs.
        session: Given by the launcher.
    """
    session.call(str.rstrip, "dumpxml", domain=domain, inactive=inactive)


def attach_device(
    domain: str, file: Path, *, live: Flag = False, config: Flag = False, session: Hidden
) -> None:
    """Give a device to a domain: to the running machine, or to the definition if it is off.

    Args:
        domain: Its name.
        file: One device element in XML.
        live: To the running machine.
        config: To the definition that the next start uses; both may be given.
        session: Given by the launcher.
    """
    session.call(
        lambda one: f"Device attached successfully{_as(one)}",
        "attach-device",
        domain=domain,
        xml=read_file(file),
        impact=impact_of(live=live, config=config),
    )


def detach_device(
    domain: str, device: str, *, live: Flag = False, config: Flag = False, session: Hidden
) -> None:
    """Take a device from a domain; returns when it is gone.

    Args:
        domain: Its name.
        device: The device's alias, or an XML file that describes it.
        live: From the running machine.
        config: From the definition that the next start uses; both may be given.
        session: Given by the launcher.
    """
    is_file = device.endswith(".xml") or "/" in device
    session.call(
        lambda _: "Device detached successfully",
        "detach-device",
        domain=domain,
        device=read_file(Path(device)) if is_file else device,
        impact=impact_of(live=live, config=config),
    )


def update_device(
    domain: str, file: Path, *, live: Flag = False, config: Flag = False, session: Hidden
) -> None:
    """Change the medium of a CD-ROM drive, or the link state of a network card.

    Args:
        domain: Its name.
        file: The whole device in XML, as it is to be.
        live: In the running machine.
        config: In the definition that the next start uses; both may be given.
        session: Given by the launcher.
    """
    session.call(
        lambda one: f"Device updated successfully{_as(one)}",
        "update-device",
        domain=domain,
        xml=read_file(file),
        impact=impact_of(live=live, config=config),
    )


def _as(device: dict[str, Any]) -> str:
    return "" if device["alias"] is None else f" as {device['alias']}"


COMMANDS: dict[str, Callable[..., None]] = {
    "list": list_domains,
    "define": define,
    "dumpxml": dumpxml,
    "attach-device": attach_device,
    "detach-device": detach_device,
    "update-device": update_device,
}
