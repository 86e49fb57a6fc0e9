"""The commands about devices and what stands behind them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu.command import Arguments, Command, nothing
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


COMMANDS: Final[Mapping[str, Command]] = {
    "qom-list": Command(run=_qom_list, members=("path",)),
    "device_add": Command(run=nothing(lambda q, a: q.machine.tree.device_add(a)), members=None),
    "device_del": Command(
        run=nothing(lambda q, a: q.machine.tree.device_del(a["id"])), members=("id",)
    ),
    "object-add": Command(
        run=nothing(lambda q, a: q.machine.tree.backends.object_add(a)), members=None
    ),
    "object-del": Command(
        run=nothing(lambda q, a: q.machine.tree.backends.object_del(a["id"])), members=("id",)
    ),
    "netdev_add": Command(
        run=nothing(lambda q, a: q.machine.tree.backends.netdev_add(a)), members=None
    ),
    "netdev_del": Command(
        run=nothing(lambda q, a: q.machine.tree.backends.netdev_del(a["id"])), members=("id",)
    ),
    "blockdev-add": Command(
        run=nothing(lambda q, a: q.machine.tree.backends.blockdev_add(a)), members=None
    ),
    "blockdev-del": Command(
        run=nothing(lambda q, a: q.machine.tree.backends.blockdev_del(a["node-name"])),
        members=("node-name",),
    ),
}
