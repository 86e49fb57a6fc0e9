"""The commands of the monitor: their arguments, and what each does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu import device_commands, recorded
from pyvirt_sim.qemu.command import Arguments, Command, nothing
from pyvirt_sim.qemu.errors import (
    QmpError,
    missing,
    not_accepted,
    unexpected,
    wrong_type,
)

if TYPE_CHECKING:
    from pyvirt_sim.qemu.process import QemuProcess


def execute(qemu: QemuProcess, name: str, arguments: Arguments) -> object:
    """Check the arguments of a command and run it.

    Raises:
        QmpError: QEMU's error.
        ModelGapError: QEMU has that command, we do not.
    """
    command = find(name)
    if command.members is not None:
        _check(command.members, arguments)
    return command.run(qemu, arguments)


def find(name: str) -> Command:
    """The command of that name.

    Raises:
        QmpError: QEMU has no such command.
        ModelGapError: QEMU has it, we do not.
    """
    command = COMMANDS.get(name)
    if command is None:
        if name in recorded.COMMANDS:
            raise ModelGapError(f"command {name} is not modelled")
        raise QmpError(f"The command {name} has not been found", "CommandNotFound")
    return command


def _check(members: tuple[str, ...], arguments: Arguments) -> None:
    for name in members:
        if name not in arguments:
            raise missing(name)
        if not isinstance(arguments[name], str):
            raise wrong_type(name, "string")
    for name in arguments:
        if name not in members:
            raise unexpected(name)


def check_capabilities(arguments: Arguments) -> bool:
    """Check the arguments of ``qmp_capabilities``. Whether they ask for out-of-band execution."""
    for name in arguments:
        if name != "enable":
            raise unexpected(name)
    enable: object = arguments.get("enable", [])
    if not isinstance(enable, list):
        raise wrong_type("enable", "array")
    wanted = cast("list[object]", enable)
    for capability in wanted:
        if capability != "oob":
            # QEMU names the element of a list "null".
            raise not_accepted("null", capability)
    return bool(wanted)


def _negotiated(_qemu: QemuProcess, _arguments: Arguments) -> object:
    raise QmpError(
        "Capabilities negotiation is already complete, command ignored", "CommandNotFound"
    )


def _query_status(qemu: QemuProcess, _arguments: Arguments) -> object:
    state = qemu.machine.state
    return {"status": state.value, "singlestep": False, "running": qemu.machine.is_running}


def _query_commands(_qemu: QemuProcess, _arguments: Arguments) -> object:
    return [{"name": name} for name in recorded.COMMANDS]


def _query_name(qemu: QemuProcess, _arguments: Arguments) -> object:
    return {"name": qemu.config.name} if qemu.config.name else {}


def _query_uuid(qemu: QemuProcess, _arguments: Arguments) -> object:
    return {"UUID": qemu.config.uuid}


def _query_yank(qemu: QemuProcess, _arguments: Arguments) -> object:
    return [{"type": "chardev", "id": qemu.config.monitor_chardev}]


COMMANDS: Final[Mapping[str, Command]] = {
    "qmp_capabilities": Command(run=_negotiated, members=None),
    "query-status": Command(run=_query_status),
    "query-version": Command(run=lambda _qemu, _arguments: recorded.VERSION),
    "query-commands": Command(run=_query_commands),
    "query-name": Command(run=_query_name),
    "query-uuid": Command(run=_query_uuid),
    "query-yank": Command(run=_query_yank, allows_oob=True),
    "cont": Command(run=nothing(lambda qemu, _: qemu.machine.resume())),
    "stop": Command(run=nothing(lambda qemu, _: qemu.machine.pause())),
    "system_powerdown": Command(run=nothing(lambda qemu, _: qemu.power_button())),
    "system_reset": Command(run=nothing(lambda qemu, _: qemu.machine.reset())),
    "quit": Command(run=nothing(lambda qemu, _: qemu.quit())),
    **device_commands.COMMANDS,
}
