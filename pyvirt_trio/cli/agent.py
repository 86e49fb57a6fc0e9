"""Commands that ask a domain's guest agent."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from cyclopts import Parameter

from pyvirt_trio.cli.session import Hidden
from pyvirt_trio.errors import DefinitionError, ErrorCode

NANOSECONDS = 1_000_000_000


def qemu_agent_command(domain: str, command: str, *, session: Hidden) -> None:
    """Send one of the agent's own commands, and print what it returns.

    Args:
        domain: Its name.
        command: JSON such as {"execute": "guest-ping"}.
        session: Given by the launcher.
    """
    try:
        wanted = json.loads(command)
        name, arguments = wanted["execute"], wanted.get("arguments")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DefinitionError(
            'the command is not JSON such as {"execute": "guest-ping"}', code=ErrorCode.INVALID_ARG
        ) from None
    session.call(
        lambda answer: json.dumps({"return": answer}),
        "qemu-agent-command",
        domain=domain,
        command=name,
        arguments=arguments,
    )


def domfsfreeze(domain: str, *, mountpoint: list[str] | None = None, session: Hidden) -> None:
    """Let the guest's file systems stand still, clean.

    Args:
        domain: Its name.
        mountpoint: Only this one; may be given several times.
        session: Given by the launcher.
    """
    session.call(
        lambda count: f"Froze {count} filesystem(s)",
        "domfsfreeze",
        domain=domain,
        mount_points=mountpoint,
    )


def domfsthaw(domain: str, *, session: Hidden) -> None:
    """Let the guest write to its file systems again."""
    session.call(lambda count: f"Thawed {count} filesystem(s)", "domfsthaw", domain=domain)


def domfstrim(domain: str, *, minimum: int = 0, session: Hidden) -> None:
    """Give unused blocks of the guest's file systems back.

    Args:
        domain: Its name.
        minimum: Leave shorter free extents alone, in bytes.
        session: Given by the launcher.
    """

    def lines(found: list[dict[str, Any]]) -> str:
        return "\n".join(f"{one['path']}: {one['error'] or one['trimmed_bytes']}" for one in found)

    session.call(lines, "domfstrim", domain=domain, minimum_bytes=minimum)


def domifaddr(domain: str, *, source: str = "agent", session: Hidden) -> None:
    """List the addresses of a guest's network interfaces.

    Args:
        domain: Its name.
        source: Whom to ask; only the agent knows here.
        session: Given by the launcher.
    """
    if source != "agent":
        raise DefinitionError(
            f"Unknown data source '{source}', only 'agent' is known", code=ErrorCode.INVALID_ARG
        )

    def table(found: list[dict[str, Any]]) -> str:
        rows = [f" {'Name':10} {'MAC address':20} {'Protocol':9} Address", "-" * 60]
        for one in found:
            rows += [
                f" {one['name']:10} {one['mac'] or '-':20} {ip['kind']:9} "
                f"{ip['address']}/{ip['prefix']}"
                for ip in one["addresses"]
            ] or [f" {one['name']:10} {one['mac'] or '-':20} {'-':9} -"]
        return "\n".join(rows)

    session.call(table, "domifaddr-agent", domain=domain)


def guestinfo(domain: str, *, session: Hidden) -> None:
    """Print what the agent tells of its guest."""

    def lines(found: dict[str, Any]) -> str:
        rows = [f"{'hostname':20}: {found['hostname']}"]
        return "\n".join(rows + [f"{f'os.{key}':20}: {one}" for key, one in found["os"].items()])

    session.call(lines, "guestinfo", domain=domain)


def domtime(domain: str, *, time: int | None = None, session: Hidden) -> None:
    """Print or set the guest's clock.

    Args:
        domain: Its name.
        time: Seconds since 1970-01-01 UTC to set it to.
        session: Given by the launcher.
    """
    session.call(
        lambda now: f"Time: {datetime.fromtimestamp(now / NANOSECONDS, UTC).isoformat(sep=' ')}",
        "domtime",
        domain=domain,
        set_ns=None if time is None else time * NANOSECONDS,
    )


def guest_exec(
    domain: str,
    path: str,
    *arguments: Annotated[str, Parameter(allow_leading_hyphen=True)],
    session: Hidden,
) -> None:
    """Run a program in the guest, and print what it says and how it ended.

    Args:
        domain: Its name.
        path: The program.
        arguments: Its arguments.
        session: Given by the launcher.
    """

    def said(done: dict[str, Any]) -> str:
        sys.stderr.write(base64.b64decode(done["stderr_base64"]).decode(errors="replace"))
        text = base64.b64decode(done["stdout_base64"]).decode(errors="replace")
        end = f"signal {done['signal']}" if done["exit_code"] is None else done["exit_code"]
        return f"{text}exit status: {end}"

    session.call(said, "guest-exec", domain=domain, path=path, arguments=list(arguments))


def set_user_password(
    domain: str,
    user: str,
    password: str,
    *,
    encrypted: Annotated[bool, Parameter(negative="")] = False,
    session: Hidden,
) -> None:
    """Give a user of the guest a password.

    Args:
        domain: Its name.
        user: The user's name.
        password: The password.
        encrypted: It is already a hash that the guest understands.
        session: Given by the launcher.
    """
    session.call(
        lambda _: f"Password set successfully for {user} in {domain}",
        "set-user-password",
        domain=domain,
        user=user,
        password=password,
        is_encrypted=encrypted,
    )


COMMANDS: dict[str, Callable[..., None]] = {
    "qemu-agent-command": qemu_agent_command,
    "domfsfreeze": domfsfreeze,
    "domfsthaw": domfsthaw,
    "domfstrim": domfstrim,
    "domifaddr": domifaddr,
    "guestinfo": guestinfo,
    "domtime": domtime,
    "guest-exec": guest_exec,
    "set-user-password": set_user_password,
}
