"""The commands about devices and what stands behind them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu.command import Arguments, Handler
from pyvirt_sim.qemu.errors import device_not_found

if TYPE_CHECKING:
    from pyvirt_sim.qemu.process import QemuProcess

_PERIPHERAL: Final = "/machine/peripheral"


def _qom_list(qemu: QemuProcess, arguments: Arguments) -> object:
    path: str = arguments["path"]
    if path == _PERIPHERAL:
        return qemu.machine.tree.peripherals()
    parent, _, child = path.rpartition("/")
    if parent == _PERIPHERAL and child not in qemu.machine.tree.devices:
        raise device_not_found(path)
    raise ModelGapError(f"qom-list of {path} is not modelled")


COMMANDS: Final[Mapping[str, Handler]] = {
    "qom-list": _qom_list,
    "device_add": lambda qemu, a: qemu.machine.tree.device_add(a),
    "device_del": lambda qemu, a: qemu.machine.tree.device_del(a["id"]),
    "object-add": lambda qemu, a: qemu.machine.tree.backends.object_add(a),
    "object-del": lambda qemu, a: qemu.machine.tree.backends.object_del(a["id"]),
    "netdev_add": lambda qemu, a: qemu.machine.tree.backends.netdev_add(a),
    "netdev_del": lambda qemu, a: qemu.machine.tree.backends.netdev_del(a["id"]),
    "blockdev-add": lambda qemu, a: qemu.machine.tree.backends.blockdev_add(a),
    "blockdev-del": lambda qemu, a: qemu.machine.tree.backends.blockdev_del(a["node-name"]),
}
