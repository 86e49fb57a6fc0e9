"""All commands of the monitor that are modelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu import (
    device_commands,
    displays,
    exports,
    job_commands,
    migration,
    monitor_commands,
    run_commands,
    saving,
    schema,
    screens,
    static_queries,
)
from pyvirt_sim.qemu.command import Arguments, Handler
from pyvirt_sim.qemu.errors import QmpError

if TYPE_CHECKING:
    from pyvirt_sim.qemu.process import QemuProcess

_TABLES: Final = (
    static_queries.COMMANDS,
    monitor_commands.COMMANDS,
    run_commands.COMMANDS,
    device_commands.COMMANDS,
    job_commands.COMMANDS,
    exports.COMMANDS,
    saving.COMMANDS,
    displays.COMMANDS,
    screens.COMMANDS,
    migration.COMMANDS,
)
# A recorded query that this build of QEMU answers with CommandNotFound is none.
COMMANDS: Final[dict[str, Handler]] = {
    name: handler for table in _TABLES for name, handler in table.items() if name in schema.COMMANDS
}


def execute(
    qemu: QemuProcess, name: str, arguments: Arguments, *, out_of_band: bool = False
) -> object:
    """Check the arguments of a command and run it, with QEMU's checks in QEMU's order.

    Raises:
        QmpError: QEMU's error.
        ModelGapError: QEMU has that command, we do not.
    """
    if name not in schema.COMMANDS:
        raise QmpError(f"The command {name} has not been found", "CommandNotFound")
    if out_of_band and not schema.COMMANDS[name].allows_oob:
        raise QmpError(f"The command {name} does not support OOB")
    schema.check_arguments(name, arguments)
    handler = COMMANDS.get(name)
    if handler is None:
        raise ModelGapError(f"command {name} is not modelled")
    result = handler(qemu, arguments)
    return {} if result is None else result
