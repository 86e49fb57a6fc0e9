"""The questions whose answer is the same on every machine of this kind: it was recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu.command import Arguments, Handler
from pyvirt_sim.qemu.errors import QmpError
from pyvirt_sim.qemu.recorded_devices import QUERIES, QUERIES_WITH_MODULES

if TYPE_CHECKING:
    from pyvirt_sim.qemu.process import QemuProcess

# What QEMU says of these depends on the accelerator.
_OF_ACCELERATOR: Final = frozenset({"query-kvm", "query-cpu-definitions"})
_POINTERS: Final = frozenset({"usb-tablet", "usb-mouse", "virtio-mouse-pci", "virtio-tablet-pci"})


def _recorded(name: str) -> Handler:
    def run(qemu: QemuProcess, _arguments: Arguments) -> object:
        if name in _OF_ACCELERATOR and qemu.config.accelerator != "tcg":
            raise ModelGapError(f"{name} is modelled only with the accelerator tcg")
        if name == "query-mice" and any(
            device.driver in _POINTERS for device in qemu.machine.tree.all()
        ):
            raise ModelGapError("query-mice with a pointing device plugged in is not modelled")
        return _answer(_reply(qemu, name))

    return run


def _reply(qemu: QemuProcess, name: str) -> Mapping[str, Any]:
    if qemu.machine.tree.has_all_modules and name in QUERIES_WITH_MODULES:
        return QUERIES_WITH_MODULES[name]
    return QUERIES[name]


def _answer(reply: Mapping[str, Any]) -> object:
    if "error" in reply:
        raise QmpError(reply["error"]["desc"], reply["error"]["class"])
    return reply["return"]


def _command_line_options(qemu: QemuProcess, arguments: Arguments) -> object:
    options: Any = _answer(_reply(qemu, "query-command-line-options"))
    wanted = arguments.get("option")
    if wanted is None:
        return options
    found = [option for option in options if option["option"] == wanted]
    if not found:
        raise QmpError(f"invalid option name: {wanted}")
    return found


COMMANDS: Final[Mapping[str, Handler]] = {
    **{name: _recorded(name) for name in QUERIES},
    "query-command-line-options": _command_line_options,
}
