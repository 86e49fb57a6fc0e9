"""Commands about the lives of domains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from pyvirt_trio.cli.flags import Flag, impact_of
from pyvirt_trio.cli.session import Hidden, read_file

NS_PER_S = 1_000_000_000


def undefine(domain: str, *, managed_save: Flag = False, session: Hidden) -> None:
    """Forget a domain's definition.

    Args:
        domain: Its name.
        managed_save: Throw its managed save away, too.
        session: Given by the launcher.
    """
    session.call(
        lambda _: f"Domain '{domain}' has been undefined",
        "undefine",
        domain=domain,
        managed_save=managed_save,
    )


def start(domain: str, *, paused: Flag = False, force_boot: Flag = False, session: Hidden) -> None:
    """Start a domain, from its managed save if it has one.

    Args:
        domain: Its name.
        paused: Leave its processors stopped.
        force_boot: Throw a managed save away, and boot.
        session: Given by the launcher.
    """
    session.call(
        lambda _: f"Domain '{domain}' started",
        "start",
        domain=domain,
        paused=paused,
        force_boot=force_boot,
    )


def create(file: Path, *, paused: Flag = False, session: Hidden) -> None:
    """Start a domain that ceases to exist when it stops.

    Args:
        file: A libvirt domain document.
        paused: Leave its processors stopped.
        session: Given by the launcher.
    """
    xml = read_file(file)
    say = f"Domain '{{}}' created from {file}".format
    session.call(say, "create", xml=xml, paused=paused)


def shutdown(domain: str, *, mode: str = "acpi", session: Hidden) -> None:
    """Ask a domain's guest to shut down.

    Args:
        domain: Its name.
        mode: acpi (its power button), agent, or acpi,agent: the agent, and if need be the button.
        session: Given by the launcher.
    """
    said = f"Domain '{domain}' is being shutdown"
    session.call(lambda _: said, "shutdown", domain=domain, mode=mode)


def reboot(domain: str, *, mode: str = "acpi", session: Hidden) -> None:
    """Ask a domain's guest to reboot.

    Args:
        domain: Its name.
        mode: acpi (its power button, then a reset), agent, or acpi,agent: the agent, and if need be
            the button.
        session: Given by the launcher.
    """
    said = f"Domain '{domain}' is being rebooted"
    session.call(lambda _: said, "reboot", domain=domain, mode=mode)


def reset(domain: str, *, session: Hidden) -> None:
    """Reset a domain's machine, at once.

    Args:
        domain: Its name.
        session: Given by the launcher.
    """
    session.call(lambda _: f"Domain '{domain}' was reset", "reset", domain=domain)


def destroy(domain: str, *, graceful: Flag = False, session: Hidden) -> None:
    """Switch a domain off, at once.

    Args:
        domain: Its name.
        graceful: Do not kill a QEMU that does not obey.
        session: Given by the launcher.
    """
    said = f"Domain '{domain}' destroyed"
    session.call(lambda _: said, "destroy", domain=domain, graceful=graceful)


def suspend(domain: str, *, session: Hidden) -> None:
    """Stop a domain's processors.

    Args:
        domain: Its name.
        session: Given by the launcher.
    """
    session.call(lambda _: f"Domain '{domain}' suspended", "suspend", domain=domain)


def resume(domain: str, *, session: Hidden) -> None:
    """Let a domain's processors run again.

    Args:
        domain: Its name.
        session: Given by the launcher.
    """
    session.call(lambda _: f"Domain '{domain}' resumed", "resume", domain=domain)


def dompmsuspend(domain: str, target: str, *, duration: int = 0, session: Hidden) -> None:
    """Have a domain's guest put itself to sleep, by its agent.

    Args:
        domain: Its name.
        target: mem, disk or hybrid.
        duration: For how many seconds; no QEMU can, so only 0 is taken.
        session: Given by the launcher.
    """
    said = f"Domain '{domain}' successfully suspended"
    session.call(lambda _: said, "dompmsuspend", domain=domain, target=target, duration_s=duration)


def dompmwakeup(domain: str, *, session: Hidden) -> None:
    """Wake a domain's guest.

    Args:
        domain: Its name.
        session: Given by the launcher.
    """
    said = f"Domain '{domain}' successfully woken up"
    session.call(lambda _: said, "dompmwakeup", domain=domain)


def _will_run(*, running: bool, paused: bool) -> bool | None:
    return True if running else False if paused else None


def save(
    domain: str, file: Path, *, running: Flag = False, paused: Flag = False, session: Hidden
) -> None:
    """Save a running domain into a file, and switch it off.

    Args:
        domain: Its name.
        file: The image.
        running: Let it run after a restore.
        paused: Let it stand still after a restore.
        session: Given by the launcher.
    """
    session.call(
        lambda _: f"Domain '{domain}' saved to {file}",
        "save",
        domain=domain,
        path=str(file.absolute()),
        running=_will_run(running=running, paused=paused),
    )


def restore(file: Path, *, running: Flag = False, paused: Flag = False, session: Hidden) -> None:
    """Let a saved domain go on.

    Args:
        file: The image.
        running: Let it run.
        paused: Let it stand still.
        session: Given by the launcher.
    """
    session.call(
        lambda _: f"Domain restored from {file}",
        "restore",
        path=str(file.absolute()),
        running=_will_run(running=running, paused=paused),
    )


def managedsave(
    domain: str, *, running: Flag = False, paused: Flag = False, session: Hidden
) -> None:
    """Save a running domain, so that its next start goes on.

    Args:
        domain: Its name.
        running: Let it run then.
        paused: Let it stand still then.
        session: Given by the launcher.
    """
    session.call(
        lambda _: f"Domain '{domain}' state saved by pyvirt",
        "managedsave",
        domain=domain,
        running=_will_run(running=running, paused=paused),
    )


def managedsave_remove(domain: str, *, session: Hidden) -> None:
    """Throw a domain's managed save away.

    Args:
        domain: Its name.
        session: Given by the launcher.
    """
    said = f"Removed managedsave image for domain '{domain}'"
    session.call(lambda _: said, "managedsave-remove", domain=domain)


def dump(
    domain: str,
    file: Path,
    *,
    live: Flag = False,
    crash: Flag = False,
    reset: Flag = False,
    whole_machine: Flag = False,
    session: Hidden,
) -> None:
    """Write the memory of a domain's guest into a file.

    Args:
        domain: Its name.
        file: The core, an ELF file.
        live: Do not pause the domain beforehand.
        crash: Switch it off afterwards.
        reset: Reset it afterwards.
        whole_machine: Write the state of the whole machine as QEMU migrates it, not an ELF file.
        session: Given by the launcher.
    """
    session.call(
        lambda _: f"Domain '{domain}' dumped to {file}",
        "dump",
        domain=domain,
        path=str(file.absolute()),
        live=live,
        crash=crash,
        reset=reset,
        memory_only=not whole_machine,
    )


def send_key(domain: str, *keys: str, holdtime: int = 0, session: Hidden) -> None:
    """Press keys together, and release them.

    Args:
        domain: Its name.
        keys: Linux's names, such as KEY_LEFTCTRL.
        holdtime: How long, in milliseconds.
        session: Given by the launcher.
    """
    session.call(lambda _: "", "send-key", domain=domain, keys=list(keys), hold_ms=holdtime)


def inject_nmi(domain: str, *, session: Hidden) -> None:
    """Interrupt a domain's processors with an NMI.

    Args:
        domain: Its name.
        session: Given by the launcher.
    """
    session.call(lambda _: "", "inject-nmi", domain=domain)


def screenshot(domain: str, file: Path, *, screen: int = 0, session: Hidden) -> None:
    """Write a picture of what a domain's guest shows into a file.

    Args:
        domain: Its name.
        file: The picture, a PNG file.
        screen: Which of its screens.
        session: Given by the launcher.
    """
    session.call(
        f"Screenshot saved to {file}, with type of {{}}".format,
        "screenshot",
        domain=domain,
        path=str(file.absolute()),
        screen=screen,
    )


def autostart(domain: str, *, disable: Flag = False, session: Hidden) -> None:
    """Let a domain start by itself, or no more.

    Args:
        domain: Its name.
        disable: No more.
        session: Given by the launcher.
    """
    said = f"Domain '{domain}' {'unmarked' if disable else 'marked'} as autostarted"
    session.call(lambda _: said, "autostart", domain=domain, disable=disable)


def domrename(domain: str, new_name: str, *, session: Hidden) -> None:
    """Give a domain that is off another name.

    Args:
        domain: Its name.
        new_name: The other one.
        session: Given by the launcher.
    """
    session.call(lambda _: "Domain successfully renamed", "domrename", domain=domain, name=new_name)


def desc(
    domain: str,
    new_desc: str | None = None,
    *,
    title: Flag = False,
    live: Flag = False,
    config: Flag = False,
    session: Hidden,
) -> None:
    """Print or set a domain's description or title.

    Args:
        domain: Its name.
        new_desc: What it is to be; empty removes it.
        title: The title, not the description.
        live: In the running machine's definition.
        config: In the definition that the next start uses; both may be given.
        session: Given by the launcher.
    """
    what = "title" if title else "description"

    def say(text: str | None) -> str:
        if new_desc is not None:
            return f"Domain {what} updated successfully"
        return text or f"No {what} for domain: {domain}"

    impact = impact_of(live=live, config=config)
    session.call(say, "desc", domain=domain, text=new_desc, title=title, impact=impact)


def metadata(
    domain: str,
    uri: str,
    *,
    key: str = "",
    to: Annotated[str | None, Parameter(name="--set")] = None,
    remove: Flag = False,
    live: Flag = False,
    config: Flag = False,
    session: Hidden,
) -> None:
    """Print, set or remove the XML element that a program keeps with a domain.

    Args:
        domain: Its name.
        uri: The namespace of the element.
        key: The prefix under which it is written.
        to: The element, without a namespace.
        remove: Remove it.
        live: In the running machine's definition.
        config: In the definition that the next start uses; both may be given.
        session: Given by the launcher.
    """

    def say(text: str | None) -> str:
        return "Metadata removed" if remove else "Metadata modified" if to else str(text)

    impact = impact_of(live=live, config=config)
    session.call(
        say, "metadata", domain=domain, uri=uri, key=key, xml=to, remove=remove, impact=impact
    )


def domstate(domain: str, *, reason: Flag = False, session: Hidden) -> None:
    """Print a domain's state.

    Args:
        domain: Its name.
        reason: And the reason for it.
        session: Given by the launcher.
    """

    def say(one: dict[str, Any]) -> str:
        return f"{one['state']} ({one['reason']})" if reason else str(one["state"])

    session.call(say, "domstate", domain=domain)


def dominfo(domain: str, *, session: Hidden) -> None:
    """Print what there is to know about a domain at a glance.

    Args:
        domain: Its name.
        session: Given by the launcher.
    """

    def say(one: dict[str, Any]) -> str:
        rows = {
            "Id": "-" if one["id"] is None else one["id"],
            "Name": one["name"],
            "UUID": one["uuid"],
            "State": one["state"],
            "CPU(s)": one["vcpus"],
            "CPU time": f"{one['cpu_time_ns'] / NS_PER_S:.1f}s",
            "Max memory": f"{one['max_memory_kib']} KiB",
            "Used memory": f"{one['memory_kib']} KiB",
            "Persistent": "yes" if one["persistent"] else "no",
            "Autostart": "enable" if one["autostart"] else "disable",
            "Managed save": "yes" if one["managed_save"] else "no",
        }
        return "\n".join(f"{name + ':':15} {value}" for name, value in rows.items())

    session.call(say, "dominfo", domain=domain)


def domjobinfo(
    domain: str, *, completed: Flag = False, keep_completed: Flag = False, session: Hidden
) -> None:
    """Print how far the long job of a domain is, if it has one.

    Args:
        domain: Its name.
        completed: The latest one that has reached its end; it is told once.
        keep_completed: Let it be told again.
        session: Given by the launcher.
    """

    def say(job: dict[str, Any]) -> str:
        rows = {"Job type": job["type"].capitalize()}
        if job["type"] != "none":
            rows["Operation"] = job["operation"].replace("_", " ").capitalize()
        for name, value in job["numbers"].items():
            label, unit = _JOB_NUMBERS.get(name, (name.replace("_", " ").capitalize(), ""))
            rows[label] = f"{value:<12} {unit}".rstrip()
        return "\n".join(f"{name + ':':17} {value}" for name, value in rows.items())

    session.call(
        say, "domjobinfo", domain=domain, completed=completed, keep_completed=keep_completed
    )


_JOB_NUMBERS = {
    "time_elapsed": ("Time elapsed", "ms"),
    "downtime": ("Total downtime", "ms"),
    "setup_time": ("Setup time", "ms"),
    **{
        f"{kind}_{part}": (f"{kind.capitalize()} {part}", "B")
        for kind in ("data", "memory", "disk")
        for part in ("total", "processed", "remaining")
    },
    "memory_bps": ("Memory bandwidth", "B/s"),
    "memory_constant": ("Constant pages", ""),
    "memory_normal": ("Normal pages", ""),
    "memory_normal_bytes": ("Normal data", "B"),
    "memory_dirty_rate": ("Dirty rate", "pages/s"),
    "memory_iteration": ("Iteration", ""),
    "memory_postcopy_requests": ("Postcopy requests", ""),
    "memory_page_size": ("Page size", "B"),
}
"""libvirt's name of a number, virsh's, and the unit."""


def domjobabort(domain: str, *, session: Hidden) -> None:
    """Ask a domain's long job to end early.

    Args:
        domain: Its name.
        session: Given by the launcher.
    """
    session.call(lambda _: "", "domjobabort", domain=domain)


def domstats(
    domain: str | None = None,
    *,
    state: Flag = False,
    cpu_total: Flag = False,
    balloon: Flag = False,
    vcpu: Flag = False,
    interface: Flag = False,
    block: Flag = False,
    session: Hidden,
) -> None:
    """Print what domains use, in numbers: all there are, or those that are asked for.

    Args:
        domain: Its name; all domains when it is left out.
        state: What it does, and why.
        cpu_total: How long its QEMU has run.
        balloon: Its memory.
        vcpu: Its processors.
        interface: Its network cards.
        block: Its disks.
        session: Given by the launcher.
    """
    asked = {
        "state.": state,
        "cpu.": cpu_total,
        "balloon.": balloon,
        "vcpu.": vcpu,
        "net.": interface,
        "block.": block,
    }
    wanted = tuple(prefix for prefix, is_asked in asked.items() if is_asked) or tuple(asked)

    def say(answer: list[dict[str, Any]]) -> str:
        return "\n\n".join(
            "\n".join(
                [f"Domain: '{one['name']}'"]
                + [
                    f"  {name}={value}"
                    for name, value in one["statistics"].items()
                    if name.startswith(wanted)
                ]
            )
            for one in answer
        )

    session.call(say, "domstats", domain=domain)


COMMANDS: dict[str, Callable[..., None]] = {
    "undefine": undefine,
    "start": start,
    "create": create,
    "shutdown": shutdown,
    "reboot": reboot,
    "reset": reset,
    "destroy": destroy,
    "suspend": suspend,
    "resume": resume,
    "dompmsuspend": dompmsuspend,
    "dompmwakeup": dompmwakeup,
    "save": save,
    "restore": restore,
    "managedsave": managedsave,
    "managedsave-remove": managedsave_remove,
    "dump": dump,
    "send-key": send_key,
    "inject-nmi": inject_nmi,
    "screenshot": screenshot,
    "autostart": autostart,
    "domrename": domrename,
    "desc": desc,
    "metadata": metadata,
    "domstate": domstate,
    "dominfo": dominfo,
    "domstats": domstats,
    "domjobinfo": domjobinfo,
    "domjobabort": domjobabort,
}
