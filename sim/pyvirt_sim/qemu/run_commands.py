"""The commands about the run state: starting, stopping, resetting, ending."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu.command import Arguments, Handler
from pyvirt_sim.qemu.run_state import Cause

if TYPE_CHECKING:
    from pyvirt_sim.qemu.process import QemuProcess


def _query_status(qemu: QemuProcess, _arguments: Arguments) -> object:
    machine = qemu.machine
    return {"status": machine.state.value, "singlestep": False, "running": machine.is_running}


def _set_actions(qemu: QemuProcess, arguments: Arguments) -> None:
    for kind, action in arguments.items():
        qemu.machine.actions.set(kind, action)


def _cont(qemu: QemuProcess, _arguments: Arguments) -> None:
    qemu.machine.saving.require_none()
    qemu.machine.resume()


def _stop(qemu: QemuProcess, _arguments: Arguments) -> None:
    qemu.machine.saving.require_none()
    qemu.machine.pause()


def _reset(qemu: QemuProcess, _arguments: Arguments) -> None:
    if qemu.machine.saving.is_dumping:
        raise ModelGapError("QEMU 7.2 aborts when it is reset during a dump")
    qemu.machine.reset(Cause.HOST_RESET)


COMMANDS: Final[Mapping[str, Handler]] = {
    "query-status": _query_status,
    "cont": _cont,
    "stop": _stop,
    "system_powerdown": lambda qemu, _: qemu.machine.power_button(),
    "system_reset": _reset,
    "system_wakeup": lambda qemu, _: qemu.machine.wake_up(),
    "send-key": lambda _qemu, _arguments: None,  # the keyboard takes what the schema allows
    "inject-nmi": lambda qemu, _: qemu.machine.inject_nmi(),
    "rtc-reset-reinjection": lambda _qemu, _: None,  # no clock here owes its guest a tick
    "quit": lambda qemu, _: qemu.machine.shut_down(Cause.HOST_QUIT),
    "set-action": _set_actions,
    "watchdog-set-action": lambda qemu, a: qemu.machine.actions.set("watchdog", a["action"]),
}
