"""Block nodes offered to others: the NBD server and its exports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu.block import Node
from pyvirt_sim.qemu.command import Arguments, Handler
from pyvirt_sim.qemu.errors import QmpError
from pyvirt_sim.qemu.text import is_identifier

if TYPE_CHECKING:
    from pyvirt_sim.qemu.process import QemuProcess
    from pyvirt_sim.qemu.tree import DeviceTree

_OPTIONS: Final = frozenset({"type", "id", "node-name", "name", "writable"})


@attrs.frozen
class Export:
    """A node offered under a name."""

    id: str
    name: str
    node: Node


class Exports:
    """The NBD server of one machine; nobody can connect to it.

    Args:
        tree: The devices and nodes of the machine.
    """

    def __init__(self, tree: DeviceTree) -> None:
        self._tree = tree
        self._is_serving = False
        self._exports: dict[str, Export] = {}

    def start(self, arguments: Mapping[str, Any]) -> None:
        """QMP ``nbd-server-start``."""
        if self._is_serving:
            raise QmpError("NBD server already running")
        if arguments.keys() - {"addr", "max-connections"} or arguments["addr"]["type"] != "unix":
            raise ModelGapError("an NBD server with TLS or not on a unix socket is not modelled")
        self._is_serving = True

    def stop(self) -> None:
        """QMP ``nbd-server-stop``: its exports end, the oldest first."""
        if not self._is_serving:
            raise QmpError("NBD server not running")
        self.close()
        self._is_serving = False

    def close(self) -> None:
        """End all exports, the oldest first, as QEMU does when it ends itself."""
        for export in list(self._exports.values()):
            self._end(export)

    def add(self, arguments: Mapping[str, Any]) -> None:
        """QMP ``block-export-add``, with QEMU's checks in QEMU's order."""
        if arguments["type"] != "nbd" or arguments.keys() - _OPTIONS:
            raise ModelGapError("exports other than plain NBD ones are not modelled")
        identity, wanted = str(arguments["id"]), str(arguments["node-name"])
        if not is_identifier(identity):
            raise QmpError("Invalid block export id")
        if identity in self._exports:
            raise QmpError(f"Block export id '{identity}' is already in use")
        node = self._tree.blocks.get(wanted)
        if node is None:
            raise QmpError(f"Cannot find device='' nor node-name='{wanted}'")
        is_shared = node.users or node.job_kind or node.is_job_target or node.parents > node.exports
        if is_shared or (node.is_read_only and arguments.get("writable")):
            raise ModelGapError(f"exporting {wanted}, which others use or none may write")
        if not self._is_serving:
            raise QmpError("NBD server not running")
        name = str(arguments.get("name", wanted))
        if any(export.name == name for export in self._exports.values()):
            raise QmpError(f"NBD server already has export named '{name}'")
        self._exports[identity] = Export(identity, name, node)
        node.exports += 1
        node.parents += 1

    def delete(self, arguments: Mapping[str, Any]) -> None:
        """QMP ``block-export-del``: event BLOCK_EXPORT_DELETED, as nobody is connected."""
        identity = str(arguments["id"])
        if identity not in self._exports:
            raise QmpError(f"Export '{identity}' is not found")
        self._end(self._exports[identity])

    def _end(self, export: Export) -> None:
        del self._exports[export.id]
        export.node.exports -= 1
        export.node.parents -= 1
        self._tree.emit("BLOCK_EXPORT_DELETED", {"id": export.id})

    def listing(self) -> list[dict[str, Any]]:
        """QMP ``query-block-exports``, the newest first."""
        return [
            {"id": one.id, "type": "nbd", "node-name": one.node.name, "shutting-down": False}
            for one in reversed(self._exports.values())
        ]


def _exports(qemu: QemuProcess) -> Exports:
    return qemu.machine.tree.exports


def _stop(qemu: QemuProcess, _arguments: Arguments) -> None:
    _exports(qemu).stop()


COMMANDS: Final[Mapping[str, Handler]] = {
    "nbd-server-start": lambda qemu, arguments: _exports(qemu).start(arguments),
    "nbd-server-stop": _stop,
    "block-export-add": lambda qemu, arguments: _exports(qemu).add(arguments),
    "block-export-del": lambda qemu, arguments: _exports(qemu).delete(arguments),
    "query-block-exports": lambda qemu, _: _exports(qemu).listing(),
}
