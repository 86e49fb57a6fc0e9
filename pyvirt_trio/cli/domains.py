"""Commands for domains and their events."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from pyvirt_trio.cli.flags import Flag, impact_of
from pyvirt_trio.cli.session import Hidden, read_file


def list_domains(
    *,
    everything: Annotated[bool, Parameter("--all", negative="")] = False,
    inactive: Flag = False,
    persistent: Flag = False,
    transient: Flag = False,
    autostart: Flag = False,
    no_autostart: Flag = False,
    with_managed_save: Flag = False,
    without_managed_save: Flag = False,
    name: Flag = False,
    uuid: Flag = False,
    id: Flag = False,  # noqa: A002 - virsh's word
    title: Flag = False,
    session: Hidden,
) -> None:
    """List running domains.

    Args:
        everything: Also those that do not run.
        inactive: Those that do not run, and no others.
        persistent: Only those that have a definition for their next start.
        transient: Only those that have none.
        autostart: Only those that start by themselves.
        no_autostart: Only those that do not.
        with_managed_save: Only those whose next start goes on from a managed save.
        without_managed_save: Only the others.
        name: Print only their names.
        uuid: Print only their UUIDs.
        id: Print only their numbers.
        title: Print their titles, too.
        session: Given by the launcher.
    """

    def is_shown(one: dict[str, Any]) -> bool:
        runs = one["id"] is not None
        return (
            (everything or runs is not inactive)
            and _fits(one["persistent"], persistent, transient)
            and _fits(one["autostart"], autostart, no_autostart)
            and _fits(one["managed_save"], with_managed_save, without_managed_save)
        )

    def table(answer: list[dict[str, Any]]) -> str:
        shown = [one for one in answer if is_shown(one)]
        for key, is_wanted in (("name", name), ("uuid", uuid), ("id", id)):
            if is_wanted:
                return "\n".join(str(one[key] or "-") for one in shown)
        head = f" {'Id':4} {'Name':20} State"
        lines = [f"{head:36} Title" if title else head, "-" * 44]
        for one in shown:
            line = f" {one['id'] or '-':<4} {one['name']:20} {one['state']}"
            lines.append(f"{line:36} {one['title'] or ''}".rstrip() if title else line)
        return "\n".join(lines)

    session.call(table, "list")


def _fits(has_it: bool, wants_it: bool, wants_it_not: bool) -> bool:
    """Whether a domain is among those asked for; who asks for both, or neither, asks for all."""
    return wants_it is wants_it_not or has_it is wants_it


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
    inactive: Flag = False,
    security_info: Flag = False,
    session: Hidden,
) -> None:
    """Print a domain's definition as XML.

    Args:
        domain: Its name.
        inactive: What the next start uses, even when it runs.
        security_info: With passwords.
        session: Given by the launcher.
    """
    session.call(str.rstrip, "dumpxml", domain=domain, inactive=inactive, secure=security_info)


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


def detach_device_alias(
    domain: str, alias: str, *, live: Flag = False, config: Flag = False, session: Hidden
) -> None:
    """Ask a domain's guest to give a device up, and do not wait; an event tells when it is gone.

    Args:
        domain: Its name.
        alias: The device's.
        live: From the running machine.
        config: From the definition that the next start uses; both may be given.
        session: Given by the launcher.
    """
    session.call(
        lambda _: f"Device detach request sent successfully for alias {alias}",
        "detach-device-alias",
        domain=domain,
        alias=alias,
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
    "detach-device-alias": detach_device_alias,
    "update-device": update_device,
}
