"""The commands about the run state: starting, stopping, resetting, ending."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from pyvirt_sim.qemu.command import Arguments, Handler

if TYPE_CHECKING:
    from pyvirt_sim.qemu.process import QemuProcess


def _query_status(qemu: QemuProcess, _arguments: Arguments) -> object:
    machine = qemu.machine
    return {"status": machine.state.value, "singlestep": False, "running": machine.is_running}


COMMANDS: Final[Mapping[str, Handler]] = {
    "query-status": _query_status,
    "cont": lambda qemu, _: qemu.machine.resume(),
    "stop": lambda qemu, _: qemu.machine.pause(),
    "system_powerdown": lambda qemu, _: qemu.power_button(),
    "system_reset": lambda qemu, _: qemu.machine.reset(),
    "quit": lambda qemu, _: qemu.quit(),
}
