"""What the guest's agent can do, with the words of ``qemu-ga`` 7.2."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu import agent_facts
from pyvirt_sim.qemu.agent_system import AgentError, AgentSystem, Arguments
from pyvirt_sim.qemu.guest_actions import GuestAction

if TYPE_CHECKING:
    from pyvirt_sim.qemu.guest import Guest


Command = Callable[[AgentSystem, "Guest", Arguments], Any]

# Those that a frozen agent still answers (``ga_freeze_allowlist``).
_WHILE_FROZEN: Final = frozenset(
    {
        *("guest-ping", "guest-info", "guest-sync", "guest-sync-delimited"),
        *("guest-fsfreeze-status", "guest-fsfreeze-thaw"),
    }
)

# What else a qemu-ga 7.2 knows on Linux.
_NOT_MODELLED: Final = frozenset(
    {
        *("guest-info", "guest-get-cpustats", "guest-get-diskstats", "guest-get-memory-blocks"),
        *("guest-get-memory-block-info", "guest-set-memory-blocks", "guest-file-open"),
        *("guest-file-close", "guest-file-read", "guest-file-write", "guest-file-seek"),
        "guest-file-flush",
    }
)

_SHUTDOWNS: Final = {
    "powerdown": GuestAction.POWER_OFF,
    "halt": GuestAction.POWER_OFF,
    "reboot": GuestAction.RESET,
}


def run_command(
    system: AgentSystem, guest: Guest, command: str, arguments: Arguments
) -> dict[str, Any] | None:
    """Do what a request asks for.

    Returns:
        The answer, or ``None`` for a command that does not report success.

    Raises:
        AgentError: It cannot be done.
    """
    if command in _UNANSWERED:
        _require_thawed(system, command)
        _UNANSWERED[command](system, guest, arguments)
        return None
    if command in _NOT_MODELLED:
        raise ModelGapError(f"the guest agent's {command} is not modelled")
    if command not in ANSWERED:
        raise AgentError(f"The command {command} has not been found", "CommandNotFound")
    _require_thawed(system, command)
    return {"return": ANSWERED[command](system, guest, arguments)}


def _require_thawed(system: AgentSystem, command: str) -> None:
    if system.is_frozen and command not in _WHILE_FROZEN:
        raise AgentError(
            f"Command {command} has been disabled: the agent is in frozen state",
            "CommandNotFound",
        )


def _nothing(_system: AgentSystem, _guest: Guest, _arguments: Arguments) -> Any:
    return {}


def _sync(_system: AgentSystem, _guest: Guest, arguments: Arguments) -> Any:
    return arguments["id"]


def _freeze(system: AgentSystem, _guest: Guest, _arguments: Arguments) -> Any:
    system.is_frozen = bool(system.file_systems)
    return len(system.file_systems)


def _freeze_list(system: AgentSystem, _guest: Guest, arguments: Arguments) -> Any:
    wanted = arguments.get("mountpoints", system.file_systems)
    found = [path for path in system.file_systems if path in wanted]
    system.is_frozen = bool(found)
    return len(found)


def _thaw(system: AgentSystem, _guest: Guest, _arguments: Arguments) -> Any:
    thawed = len(system.file_systems) if system.is_frozen else 0
    system.is_frozen = False
    return thawed


def _freeze_status(system: AgentSystem, _guest: Guest, _arguments: Arguments) -> Any:
    return "frozen" if system.is_frozen else "thawed"


def _trim(system: AgentSystem, _guest: Guest, _arguments: Arguments) -> Any:
    paths = [{"path": path, "trimmed": 0, "minimum": 0} for path in system.file_systems]
    return {"paths": paths}


def _get_time(system: AgentSystem, guest: Guest, _arguments: Arguments) -> Any:
    return round(guest.world.wall_clock_s() * 1_000_000_000) + system.clock_offset_ns


def _set_time(system: AgentSystem, guest: Guest, arguments: Arguments) -> Any:
    if "time" in arguments:
        now = round(guest.world.wall_clock_s() * 1_000_000_000)
        system.clock_offset_ns = int(arguments["time"]) - now
    else:
        system.clock_offset_ns = 0  # from the machine's own clock
    return {}


def _set_password(system: AgentSystem, _guest: Guest, arguments: Arguments) -> Any:
    user = str(arguments["username"])
    if "\n" in user or ":" in user:
        raise AgentError("forbidden characters in username")
    try:
        password = base64.b64decode(arguments["password"], validate=True)
    except binascii.Error:
        raise AgentError("Base64 data contains invalid characters") from None
    system.passwords[user] = password.decode()
    return {}


def _exec(system: AgentSystem, guest: Guest, arguments: Arguments) -> Any:
    path = str(arguments["path"])
    name = path.rpartition("/")[2]
    words = [str(word) for word in arguments.get("arg", [])]
    given = base64.b64decode(arguments.get("input-data", ""))
    ends_s = guest.world.wall_clock_s()
    output, code = b"", 0
    match name:
        case "echo":
            output = " ".join(words).encode() + b"\n"
        case "cat" if not words:
            output = given
        case "true" | "false":
            code = int(name == "false")
        case "sleep":
            ends_s += float(words[0])
        case _:
            missing = (
                f"Failed to execute child process \u201c{path}\u201d (No such file or directory)"
            )
            raise AgentError(f"Guest agent command failed, error was '{missing}'")
    status: dict[str, Any] = {"exitcode": code, "ends_s": ends_s}
    if arguments.get("capture-output") and output:
        status["out-data"] = base64.b64encode(output).decode()
    system.next_pid += 1
    system.programs[system.next_pid] = status
    return {"pid": system.next_pid}


def _exec_status(system: AgentSystem, guest: Guest, arguments: Arguments) -> Any:
    pid = int(arguments["pid"])
    if pid not in system.programs:
        raise AgentError("Invalid parameter 'pid'")
    status = dict(system.programs[pid])
    if status.pop("ends_s") > guest.world.wall_clock_s():
        return {"exited": False}
    del system.programs[pid]
    return {"exited": True, **status}


def _shutdown(_system: AgentSystem, guest: Guest, arguments: Arguments) -> None:
    mode = str(arguments.get("mode", "powerdown"))
    if mode not in _SHUTDOWNS:
        raise AgentError("mode is invalid (valid values are: halt|powerdown|reboot")
    guest.go_down(_SHUTDOWNS[mode])


def _suspend(action: GuestAction) -> Command:
    def suspend(_system: AgentSystem, guest: Guest, _arguments: Arguments) -> None:
        guest.go_down(action)

    return suspend


def _hybrid(_system: AgentSystem, _guest: Guest, _arguments: Arguments) -> None:
    """Only where systemd or pm-utils see to it."""
    raise AgentError("the requested suspend mode is not supported by the guest")


# A test may put another one in its place.
ANSWERED: Final[dict[str, Command]] = {
    "guest-ping": _nothing,
    "guest-sync": _sync,
    "guest-sync-delimited": _sync,
    "guest-fsfreeze-freeze": _freeze,
    "guest-fsfreeze-freeze-list": _freeze_list,
    "guest-fsfreeze-thaw": _thaw,
    "guest-fsfreeze-status": _freeze_status,
    "guest-fstrim": _trim,
    "guest-get-time": _get_time,
    "guest-set-time": _set_time,
    "guest-network-get-interfaces": agent_facts.interfaces,
    "guest-get-osinfo": agent_facts.os_info,
    "guest-get-host-name": agent_facts.host_name,
    "guest-get-timezone": agent_facts.timezone,
    "guest-get-users": agent_facts.users,
    "guest-get-disks": agent_facts.disks,
    "guest-get-fsinfo": agent_facts.file_systems,
    "guest-get-vcpus": agent_facts.vcpus,
    "guest-set-vcpus": agent_facts.set_vcpus,
    "guest-ssh-get-authorized-keys": agent_facts.get_keys,
    "guest-ssh-add-authorized-keys": agent_facts.add_keys,
    "guest-ssh-remove-authorized-keys": agent_facts.remove_keys,
    "guest-set-user-password": _set_password,
    "guest-exec": _exec,
    "guest-exec-status": _exec_status,
}
_UNANSWERED: Final[Mapping[str, Command]] = {
    "guest-shutdown": _shutdown,
    "guest-suspend-ram": _suspend(GuestAction.SUSPEND),
    "guest-suspend-disk": _suspend(GuestAction.HIBERNATE),
    "guest-suspend-hybrid": _hybrid,
}
COMMANDS: Final = (*ANSWERED, *_UNANSWERED)
