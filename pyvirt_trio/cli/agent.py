"""Commands that have something done by a domain's guest agent."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from pyvirt_trio.cli.flags import Flag
from pyvirt_trio.cli.session import Hidden, read_file
from pyvirt_trio.errors import DefinitionError, ErrorCode


def qemu_agent_command(
    domain: str,
    command: str,
    *,
    timeout: float | None = None,
    pretty: Flag = False,
    session: Hidden,
) -> None:
    """Send one of the agent's own commands, and print what it returns.

    Args:
        domain: Its name.
        command: JSON such as {"execute": "guest-ping"}.
        timeout: Give up after so many seconds; the agent may still do it.
        pretty: Indent what is printed.
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
        lambda answer: json.dumps({"return": answer}, indent=2 if pretty else None),
        "qemu-agent-command",
        domain=domain,
        command=name,
        arguments=arguments,
        timeout_s=timeout,
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
    """Let the guest write to its file systems again.

    Args:
        domain: Its name.
        session: Given by the launcher.
    """
    session.call(lambda count: f"Thawed {count} filesystem(s)", "domfsthaw", domain=domain)


def domfsfreeze_status(domain: str, *, session: Hidden) -> None:
    """Print whether the guest's file systems stand still: frozen or thawed.

    Args:
        domain: Its name.
        session: Given by the launcher.
    """
    session.call(str, "domfsfreeze-status", domain=domain)


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
    encrypted: Flag = False,
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


def get_user_sshkeys(domain: str, user: str, *, session: Hidden) -> None:
    """Print the public keys with which a user of the guest may log in.

    Args:
        domain: Its name.
        user: The user's name.
        session: Given by the launcher.
    """
    session.call("\n".join, "get-user-sshkeys", domain=domain, user=user)


def set_user_sshkeys(
    domain: str,
    user: str,
    *,
    file: Path | None = None,
    reset: Flag = False,
    remove: Flag = False,
    session: Hidden,
) -> None:
    """Let a user of the guest log in with more public keys, or with others.

    Args:
        domain: Its name.
        user: The user's name.
        file: Has a key in each line.
        reset: With no others.
        remove: No longer with these.
        session: Given by the launcher.
    """
    if reset and remove:
        raise DefinitionError(
            "Options --reset and --remove are mutually exclusive", code=ErrorCode.INVALID_ARG
        )
    if file is None and not reset:
        raise DefinitionError("Option --file is required", code=ErrorCode.INVALID_ARG)
    lines = [] if file is None else read_file(file).splitlines()
    session.call(
        lambda _: "",
        "set-user-sshkeys",
        domain=domain,
        user=user,
        keys=[line for line in map(str.strip, lines) if line and not line.startswith("#")],
        reset=reset,
        remove=remove,
    )


COMMANDS: dict[str, Callable[..., None]] = {
    "qemu-agent-command": qemu_agent_command,
    "domfsfreeze": domfsfreeze,
    "domfsthaw": domfsthaw,
    "domfsfreeze-status": domfsfreeze_status,
    "domfstrim": domfstrim,
    "guest-exec": guest_exec,
    "set-user-password": set_user_password,
    "get-user-sshkeys": get_user_sshkeys,
    "set-user-sshkeys": set_user_sshkeys,
}
