"""The commands about devices and what stands behind them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu import balloon, block, pci, qom_types
from pyvirt_sim.qemu.command import Arguments, Handler
from pyvirt_sim.qemu.errors import QmpError
from pyvirt_sim.qemu.qom import Qom

if TYPE_CHECKING:
    from pyvirt_sim.qemu.process import QemuProcess
    from pyvirt_sim.qemu.tree import DeviceTree


def _tree(qemu: QemuProcess) -> DeviceTree:
    return qemu.machine.tree


def _qom_list_types(qemu: QemuProcess, arguments: Arguments) -> object:
    _tree(qemu).has_all_modules = True
    return qom_types.list_types(arguments)


def _query_named_block_nodes(qemu: QemuProcess, arguments: Arguments) -> object:
    if arguments.get("flat"):
        raise ModelGapError("query-named-block-nodes with flat is not modelled")
    return [block.describe(node) for node in _tree(qemu).blocks.all()]


def _chardev_change(qemu: QemuProcess, arguments: Arguments) -> object:
    if _tree(qemu).chardevs.has(arguments["id"]):
        raise ModelGapError("chardev-change is not modelled")
    raise QmpError(f"Chardev '{arguments['id']}' does not exist")


def _query_balloon(qemu: QemuProcess, _arguments: Arguments) -> object:
    if _tree(qemu).balloon is None:
        raise QmpError("No balloon device has been activated", "DeviceNotActive")
    return {"actual": balloon.all_bytes(_tree(qemu)) - _tree(qemu).balloon_bytes}


def _balloon(qemu: QemuProcess, arguments: Arguments) -> object:
    tree = _tree(qemu)
    if tree.balloon is None:
        raise QmpError("No balloon device has been activated", "DeviceNotActive")
    if arguments["value"] <= 0:
        raise QmpError("Parameter 'target' expects a size")
    wanted = min(arguments["value"], balloon.all_bytes(tree))
    tree.balloon_target_bytes = balloon.all_bytes(tree) - wanted
    qemu.guest.balloon_wanted()
    return None


def _query_yank(qemu: QemuProcess, _arguments: Arguments) -> object:
    monitors = qemu.config.monitor_chardevs
    others = [name for name in _tree(qemu).chardevs.sockets() if name not in monitors]
    return [{"type": "chardev", "id": name} for name in (*reversed(monitors), *others)]


def _query_memory_size(qemu: QemuProcess, _arguments: Arguments) -> Mapping[str, Any]:
    memory = _tree(qemu).memory
    return {"base-memory": memory.base_bytes, "plugged-memory": memory.plugged_bytes}


COMMANDS: Final[Mapping[str, Handler]] = {
    "qom-list": lambda qemu, a: Qom(_tree(qemu)).list_properties(a["path"]),
    "qom-get": lambda qemu, a: Qom(_tree(qemu)).get(a["path"], a["property"]),
    "qom-set": lambda qemu, a: Qom(_tree(qemu)).set(a["path"], a["property"], a["value"]),
    "qom-list-types": _qom_list_types,
    "qom-list-properties": lambda _qemu, a: qom_types.object_properties(a["typename"]),
    "device-list-properties": lambda _qemu, a: qom_types.device_properties(a["typename"]),
    "query-pci": lambda qemu, _: pci.listing(_tree(qemu)),
    "device_add": lambda qemu, a: _tree(qemu).device_add(a),
    "device_del": lambda qemu, a: _tree(qemu).device_del(a["id"]),
    "object-add": lambda qemu, a: _tree(qemu).objects.add(a),
    "object-del": lambda qemu, a: _tree(qemu).objects.delete(a["id"]),
    "query-memdev": lambda qemu, _: _tree(qemu).objects.memory(),
    "query-iothreads": lambda qemu, _: _tree(qemu).objects.threads(),
    "netdev_add": lambda qemu, a: _tree(qemu).netdevs.add(a),
    "netdev_del": lambda qemu, a: _tree(qemu).netdevs.delete(a["id"]),
    "set_link": lambda qemu, a: _tree(qemu).netdevs.set_link(a["name"]),
    "query-rx-filter": lambda qemu, a: _tree(qemu).netdevs.rx_filters(a.get("name")),
    "announce-self": lambda _qemu, _: None,
    "chardev-add": lambda qemu, a: _tree(qemu).chardevs.add(a),
    "chardev-remove": lambda qemu, a: _tree(qemu).chardevs.remove(a["id"]),
    "chardev-change": _chardev_change,
    "chardev-send-break": lambda qemu, a: _tree(qemu).chardevs.send_break(a["id"]),
    "query-chardev": lambda qemu, _: _tree(qemu).chardevs.listing(),
    "ringbuf-write": lambda qemu, a: _tree(qemu).chardevs.ring_write(a),
    "ringbuf-read": lambda qemu, a: _tree(qemu).chardevs.ring_read(a),
    "query-yank": _query_yank,
    "blockdev-add": lambda qemu, a: _tree(qemu).blocks.add(a),
    "blockdev-del": lambda qemu, a: _tree(qemu).blocks.delete(a["node-name"]),
    "block-set-write-threshold": lambda qemu, a: _tree(qemu).blocks.set_write_threshold(a),
    "block_set_io_throttle": lambda qemu, a: _tree(qemu).drives.throttle(a),
    "query-named-block-nodes": _query_named_block_nodes,
    "query-block": lambda qemu, _: _tree(qemu).drives.listing(),
    "blockdev-open-tray": lambda qemu, a: _tree(qemu).drives.open_tray(a),
    "blockdev-close-tray": lambda qemu, a: _tree(qemu).drives.close_tray(a),
    "blockdev-insert-medium": lambda qemu, a: _tree(qemu).drives.insert_medium(a),
    "blockdev-remove-medium": lambda qemu, a: _tree(qemu).drives.remove_medium(a),
    "eject": lambda qemu, a: _tree(qemu).drives.eject(a),
    "query-balloon": _query_balloon,
    "balloon": _balloon,
    "query-memory-size-summary": _query_memory_size,
    "query-memory-devices": lambda qemu, _: _tree(qemu).memory.listing(),
    "query-acpi-ospm-status": lambda qemu, _: (
        _tree(qemu).memory.states() + _tree(qemu).cpus.states()
    ),
    "query-hotpluggable-cpus": lambda qemu, _: _tree(qemu).cpus.places(),
    "query-cpus-fast": lambda qemu, _: _tree(qemu).cpus.listing(),
}
