"""``python -m tests.real.record_devices``: ask the real QEMU about its types and devices, once.

Writes ``sim/pyvirt_sim/qemu/devices-7.2.json``. Everything in it is an answer of QEMU's monitor to
introspection, from machines whose processors never ran. Paths below the device asked about are
written ``$``, the rest as QEMU gave it.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[2] / "sim/pyvirt_sim/qemu/devices-7.2.json"
MEMORY = ["-m", "256,slots=8,maxmem=4G", "-smp", "1,maxcpus=2"]
ARGV = ["qemu-system-x86_64", "-S", "-nodefaults", "-no-user-config", "-display", "none"]
ARGV += ["-vga", "none", "-accel", "tcg", *MEMORY]

# How each modelled type is plugged to be looked at, and what it needs. `cold` ones with -device.
PCI: dict[str, dict[str, Any]] = {
    "pcie-root-port": {},
    "pcie-pci-bridge": {},
    "pci-bridge": {"chassis_nr": 9},
    "virtio-rng-pci": {"rng": "rng"},
    "virtio-net-pci": {"netdev": "net"},
    "virtio-blk-pci": {"drive": "disk"},
    "virtio-scsi-pci": {},
    "virtio-serial-pci": {},
    "virtio-balloon-pci": {},
    "virtio-keyboard-pci": {},
    "virtio-mouse-pci": {},
    "virtio-tablet-pci": {},
    "virtio-mem-pci": {"memdev": "ram"},
    "virtio-pmem-pci": {"memdev": "ram"},
    "qemu-xhci": {},
    "piix3-usb-uhci": {},
    "usb-ehci": {},
    "e1000": {"netdev": "net"},
    "e1000e": {"netdev": "net"},
    "rtl8139": {"netdev": "net"},
    "i6300esb": {},
    "ivshmem-plain": {"memdev": "ram"},
    "pci-serial": {"chardev": "chr"},
    "lsi53c895a": {},
    "ich9-ahci": {},
    "ich9-usb-ehci1": {"cold": True},
    "ich9-usb-uhci1": {"cold": True},
    "virtio-gpu-pci": {"cold": True},
    "VGA": {"cold": True},
    "cirrus-vga": {"cold": True},
    "bochs-display": {"cold": True},
    "virtio-vga": {"cold": True},
    "qxl-vga": {"cold": True},
    "qxl": {"cold": True},
    "ich9-intel-hda": {"cold": True},
    "intel-hda": {"cold": True},
    "AC97": {"cold": True, "audiodev": "audio1"},
    "ES1370": {"cold": True, "audiodev": "audio1"},
}
OTHER: dict[str, dict[str, Any]] = {
    "usb-tablet": {"bus": "usb.0"},
    "usb-kbd": {"bus": "usb.0"},
    "usb-mouse": {"bus": "usb.0"},
    "usb-hub": {"bus": "usb.0"},
    "usb-storage": {"bus": "usb.0", "drive": "disk"},
    "usb-redir": {"bus": "usb.0", "chardev": "chr"},
    "usb-serial": {"bus": "usb.0", "chardev": "chr"},
    "usb-bot": {"bus": "usb.0"},
    "isa-parallel": {"cold": True, "chardev": "chr"},
    "scsi-hd": {"bus": "scsi.0", "drive": "disk"},
    "scsi-cd": {"bus": "scsi.0"},
    "virtserialport": {"bus": "ser.0", "chardev": "chr"},
    "virtconsole": {"bus": "ser.0", "chardev": "chr"},
    "pc-dimm": {"memdev": "ram"},
    "nvdimm": {"memdev": "ram"},
    "isa-serial": {"cold": True, "chardev": "chr"},
    "ib700": {"cold": True},
    "pvpanic": {"cold": True},
    "ide-hd": {"cold": True, "bus": "ide.0", "drive": "disk"},
    "ide-cd": {"cold": True, "bus": "ide.0"},
    "ramfb": {"cold": True},
    "sb16": {"cold": True, "audiodev": "audio1"},
    "usb-audio": {"cold": True, "bus": "usb.0", "audiodev": "audio1"},
    "hda-duplex": {"cold": True, "bus": "hda.0", "audiodev": "audio1"},
    "hda-micro": {"cold": True, "bus": "hda.0", "audiodev": "audio1"},
    "hda-output": {"cold": True, "bus": "hda.0", "audiodev": "audio1"},
    "qemu64-x86_64-cpu": {"socket-id": 0, "core-id": 1, "thread-id": 0},
}
# Properties listed for these only: a real machine is needed to plug one.
LISTED = ["vfio-pci", "vhost-vsock-pci", "vhost-user-fs-pci"]
LISTED += ["usb-host", "scsi-generic", "vhost-scsi-pci"]
OBJECTS: dict[str, dict[str, Any]] = {
    "rng-random": {"filename": "/dev/urandom"},
    "rng-builtin": {},
    "memory-backend-ram": {"size": 1 << 20},
    "memory-backend-file": {"size": 1 << 20, "mem-path": "FILE"},
    "memory-backend-memfd": {"size": 1 << 20},
    "secret": {"data": "letmein"},
    "iothread": {},
    "throttle-group": {},
    "authz-list": {},
    "authz-simple": {"identity": "fred"},
    "tls-creds-anon": {"endpoint": "server"},
}
STATIC_QUERIES = [
    "query-kvm",
    "query-target",
    "query-machines",
    "query-chardev-backends",
    "query-command-line-options",
    "query-cpu-definitions",
    "query-tpm-models",
    "query-tpm-types",
    "query-migrate-capabilities",
    "query-dump-guest-memory-capability",
    "query-sev-capabilities",
    "query-stats-schemas",
    "query-audiodevs",
    "query-replay",
    "query-colo-status",
    "query-display-options",
    "query-dump",
    "query-mice",
    "query-vnc",
    "query-vnc-servers",
    "query-xen-replication-status",
    "query-vm-generation-id",
    "query-sgx",
    "query-sgx-capabilities",
    "query-sev",
    "query-current-machine",
]


class Machine:
    """A real QEMU with its processors stopped."""

    def __init__(self, board: str, extra: list[str]) -> None:
        self.folder = tempfile.TemporaryDirectory()
        path = f"{self.folder.name}/monitor"
        argv = [*ARGV, "-machine", board, *extra, "-qmp", f"unix:{path},server=on,wait=off"]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.socket = socket.socket(socket.AF_UNIX)
        while True:
            try:
                self.socket.connect(path)
                break
            except OSError:
                if self.process.poll() is not None:
                    raise RuntimeError(f"QEMU ended: {argv}") from None
                time.sleep(0.01)
        self.lines = self.socket.makefile("rb")
        try:
            self.lines.readline()
            self("qmp_capabilities")
        except (OSError, EOFError):
            output = self.process.communicate()[0].decode()
            raise RuntimeError(f"QEMU ended: {output}") from None

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """The reply to a command, error or not."""
        request = {"execute": command, "arguments": arguments}
        self.socket.sendall(json.dumps(request).encode())
        while line := self.lines.readline():
            reply: dict[str, Any] = json.loads(line)
            if "event" not in reply:
                return reply
        raise EOFError(f"QEMU died of {command} {arguments}")

    def __call__(self, command: str, **arguments: Any) -> Any:
        reply = self.ask(command, **arguments)
        if "error" in reply:
            raise RuntimeError(f"{command} {arguments}: {reply['error']['desc']}")
        return reply["return"]

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.communicate()
        self.lines.close()
        self.socket.close()
        self.folder.cleanup()

    def tree(self, path: str) -> dict[str, list[Any]]:
        """Every object at and below ``path``: relative path -> [name, type, value] of each."""
        result: dict[str, list[Any]] = {}

        def look(relative: str) -> None:
            rows: list[Any] = []
            result[relative] = rows
            for item in self("qom-list", path=(path + relative) or "/"):
                name, kind = item["name"], item["type"]
                if kind.startswith("child<"):
                    rows.append([name, kind])
                    look(f"{relative}/{name}")
                    continue
                reply = self.ask("qom-get", path=(path + relative) or "/", property=name)
                value = reply.get("return", {"error": reply.get("error", {}).get("desc")})
                if self.folder.name in json.dumps(value):
                    value = None
                rows.append([name, kind, _relative(value, path)])

        look("")
        return result


def _relative(value: Any, path: str) -> Any:
    if path and isinstance(value, str) and (value == path or value.startswith(f"{path}/")):
        return f"${value[len(path) :]}"
    return value


def open_machine(extra: list[str] | None = None, board: str = "q35,nvdimm=on") -> Machine:
    """A machine with a free root port ``rp`` and a bus of each other kind."""
    devices = [{"driver": "pcie-root-port", "id": "rp", "bus": "pcie.0", "chassis": 1}]
    if board.startswith("q35"):
        for number, driver in enumerate(("virtio-scsi-pci", "qemu-xhci", "virtio-serial-pci")):
            name = ("scsi", "usb", "ser")[number]
            devices.append({"driver": driver, "id": name, "bus": "pcie.0"})
    else:
        devices = []
    options = [word for device in devices for word in ("-device", json.dumps(device))]
    options += ["-netdev", '{"type":"user","id":"net"}', "-chardev", "null,id=chr"]
    options += ["-blockdev", '{"driver":"null-co","node-name":"disk","read-zeroes":true}']
    options += ["-object", '{"qom-type":"rng-builtin","id":"rng"}']
    options += ["-audiodev", '{"driver":"none","id":"audio1"}']
    options += ["-object", '{"qom-type":"memory-backend-ram","id":"ram","size":134217728}']
    return Machine(board, options + (extra or []))


def find_device(machine: Machine, name: str) -> dict[str, Any] | None:
    """What ``query-pci`` says about one device, without the bus it is on."""

    def search(devices: list[dict[str, Any]]) -> dict[str, Any] | None:
        for device in devices:
            if device["qdev_id"] == name:
                return device
            found = search(device.get("pci_bridge", {}).get("devices", []))
            if found is not None:
                return found
        return None

    for bus in machine("query-pci"):
        found = search(bus["devices"])
        if found is not None:
            keep = ("class_info", "id", "irq_pin", "regions", "pci_bridge", "irq")
            return {key: found[key] for key in keep if key in found}
    return None


def record_model(driver: str, how: dict[str, Any], default_bus: str | None) -> dict[str, Any]:
    """One device type: its properties, the objects of a plugged one, its PCI registers."""
    arguments = {key: value for key, value in how.items() if key != "cold"}
    if default_bus is not None:
        arguments.setdefault("bus", "pcie.0" if how.get("cold") else default_bus)
    device = {"driver": driver, "id": "probed", **arguments}
    cold = ["-device", json.dumps(device)] if how.get("cold") else []
    if how.get("bus") == "hda.0":  # which comes with a card of its own
        cold = ["-device", json.dumps({"driver": "intel-hda", "id": "hda", "bus": "pcie.0"}), *cold]
    machine = open_machine(cold)
    try:
        if not cold:
            machine("device_add", **device)
        return {
            "properties": listed_properties(machine, "device-list-properties", driver),
            "class_properties": class_properties(machine, driver),
            "tree": machine.tree("/machine/peripheral/probed"),
            "given": sorted(arguments.keys() - {"bus"}),
        }
    finally:
        machine.close()


def listed_properties(machine: Machine, command: str, kind: str) -> dict[str, Any]:
    """The properties of a type, by name."""
    return {item.pop("name"): item for item in machine(command, typename=kind)}


def class_properties(machine: Machine, driver: str) -> dict[str, Any]:
    """The properties that ``qom-list-properties`` has for a device type.

    Null stands for the one that `device-list-properties` has, without its default.
    """
    own = listed_properties(machine, "device-list-properties", driver)
    for item in own.values():
        item.pop("default-value", None)
    everything = listed_properties(machine, "qom-list-properties", driver)
    return {name: None if own.get(name) == item else item for name, item in everything.items()}


def record_registers(driver: str, how: dict[str, Any]) -> dict[str, Any]:
    """What ``query-pci`` says of a PCI device on the first bus of each board."""
    result: dict[str, Any] = {}
    for board in ("q35", "pc"):
        arguments = {key: value for key, value in how.items() if key != "cold"}
        device = {"driver": driver, "id": "probed", **arguments}
        try:
            machine = open_machine(["-device", json.dumps(device)], board)
        except RuntimeError as error:
            print(f"{driver} on {board}: {error}", file=sys.stderr)
            continue
        result[board] = find_device(machine, "probed")
        machine.close()
    return result


def record_types() -> tuple[dict[str, Any], dict[str, str]]:
    """Every QOM type; the bus each device type wants."""
    machine = open_machine()
    kinds = machine("qom-list-types", abstract=True)
    types = {kind["name"]: [kind.get("parent"), kind.get("abstract", False)] for kind in kinds}
    text = machine("human-monitor-command", **{"command-line": "info qdm"})
    buses: dict[str, str] = {}
    for line in text.splitlines():
        words = line.split('"')
        if line.startswith("name ") and ", bus " in words[2]:
            buses[words[1]] = words[2].partition(", bus ")[2].partition(",")[0]
    machine.close()
    return types, buses


def record_refusals(names: Iterable[str]) -> dict[str, str]:
    """Why device types cannot be plugged into a running machine, whatever the bus.

    Each answer takes QEMU the grace period of its memory reclaimer, about 60 ms.
    """
    machine = open_machine()
    refusals: dict[str, str] = {}
    for name in names:
        reply = machine.ask("device_add", driver=name, bus="no-such-bus")
        text = reply.get("error", {}).get("desc", "")
        if text.startswith("Parameter 'driver'"):
            refusals[name] = text
    machine.close()
    return refusals


def device_types(types: dict[str, Any]) -> list[str]:
    """The names among QOM types that are devices."""

    def is_device(name: str | None) -> bool:
        while name is not None and name != "device":
            name = types[name][0]
        return name is not None

    return sorted(name for name in types if is_device(name))


def record_objects() -> dict[str, Any]:
    """The objects that `object-add` makes, and their properties."""
    machine = open_machine()
    result: dict[str, Any] = {}
    for kind, how in OBJECTS.items():
        arguments = {key: value for key, value in how.items() if value != "FILE"}
        if "mem-path" in how:
            arguments["mem-path"] = f"{machine.folder.name}/ram"
        machine("object-add", **{"qom-type": kind, "id": "probed", **arguments})
        result[kind] = {
            "properties": listed_properties(machine, "qom-list-properties", kind),
            "tree": machine.tree("/objects/probed"),
            "given": sorted(arguments.keys() - {"qom-type", "id"}),
        }
        machine("object-del", id="probed")
    machine.close()
    return result


def record_board(board: str) -> dict[str, Any]:
    """The objects of a bare board."""
    machine = Machine(board, [])
    result = {"pci": machine("query-pci"), "tree": machine.tree("")}
    machine.close()
    return result


def record_queries() -> dict[str, Any]:
    """Answers that never change while a machine like this one stands still."""
    machine = Machine("q35", [])
    result = {name: machine.ask(name) for name in STATIC_QUERIES}
    # This one loads all modules, which adds to the answers of some others.
    machine("qom-list-types")
    loaded = {name: machine.ask(name) for name in STATIC_QUERIES}
    machine.close()
    return {
        "fresh": result,
        "loaded": {name: reply for name, reply in loaded.items() if reply != result[name]},
    }


def main() -> int:
    """Record everything and write the file."""
    types, buses = record_types()
    refusals = record_refusals(device_types(types))
    models = {driver: record_model(driver, how, "rp") for driver, how in PCI.items()}
    for driver, how in PCI.items():
        models[driver]["pci"] = record_registers(driver, how)
    models |= {driver: record_model(driver, how, None) for driver, how in OTHER.items()}
    machine = open_machine()
    for driver in LISTED:
        models[driver] = {
            "properties": listed_properties(machine, "device-list-properties", driver),
            "class_properties": class_properties(machine, driver),
        }
    machine.close()
    data = {
        "types": types,
        "refusals": refusals,
        "buses": buses,
        "models": models,
        "objects": record_objects(),
        "boards": {board: record_board(board) for board in ("q35", "pc")},
        "queries": record_queries(),
    }
    TARGET.write_text(json.dumps(pool(data), separators=(",", ":")) + "\n", "utf-8")
    print(f"{TARGET}: {TARGET.stat().st_size} bytes, {len(types)} types, {len(models)} devices")
    return 0


def pool(data: dict[str, Any]) -> dict[str, Any]:
    """Replace each [name, type, value] of the trees by its index in one shared list of rows."""
    rows: dict[str, int] = {}
    for group in (data["models"], data["objects"], data["boards"]):
        for entry in group.values():
            for path, items in entry.get("tree", {}).items():
                entry["tree"][path] = [rows.setdefault(json.dumps(row), len(rows)) for row in items]
    return data | {"rows": [json.loads(row) for row in rows]}


if __name__ == "__main__":
    sys.exit(main())
