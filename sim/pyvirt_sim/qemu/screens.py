"""Pictures of screens: QMP ``screendump``. What is on a screen is not modelled."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu.command import Arguments, Handler
from pyvirt_sim.qemu.devices import Device
from pyvirt_sim.qemu.errors import QmpError

if TYPE_CHECKING:
    from pyvirt_sim.qemu.process import QemuProcess

_ONE_HEAD: Final = frozenset({"VGA", "cirrus-vga", "bochs-display", "qxl-vga", "qxl", "ramfb"})
"""Also qxl, whatever its ``max_outputs``: they are for clients of spice."""

_HEADS: Final = frozenset({"virtio-vga", "virtio-gpu-pci"})

_PICTURES: Final = {"ppm": "P6 simulated picture\n", "png": "PNG simulated picture\n"}


def _head_count(device: Device) -> int:
    if device.driver in _HEADS:
        return int(device.value("max_outputs"))
    return 1 if device.driver in _ONE_HEAD else 0


def _screendump(qemu: QemuProcess, arguments: Arguments) -> None:
    machine, path = qemu.machine, arguments["filename"]
    _require_console(list(machine.tree.devices.values()), arguments)
    if not machine.world.folder_exists(posixpath.dirname(path)):
        raise QmpError(f"failed to open file '{path}': No such file or directory")
    if machine.world.read_bytes(path):
        raise ModelGapError("a picture over another file is not modelled")
    machine.world.append_text(path, _PICTURES[arguments.get("format", "ppm")])


def _require_console(devices: list[Device], arguments: Arguments) -> None:
    name, head = arguments.get("device"), arguments.get("head", 0)
    if name is None:
        if "head" in arguments:
            raise QmpError("'head' must be specified together with 'device'")
        if not any(map(_head_count, devices)):
            raise QmpError("There is no console to take a screendump from")
        return
    found = next((device for device in devices if device.id == name), None)
    if found is None:
        raise QmpError(f"Device '{name}' not found", "DeviceNotFound")
    if not 0 <= head < _head_count(found):
        raise QmpError(f"Device {name} (head {head}) is not bound to a QemuConsole")


COMMANDS: Final[Mapping[str, Handler]] = {"screendump": _screendump}
