"""A machine's devices without a process, a monitor or a host around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import attrs

from pyvirt_sim.qemu.boards import BOARDS
from pyvirt_sim.qemu.cpus import Cpus, Topology
from pyvirt_sim.qemu.devices import Device
from pyvirt_sim.qemu.errors import QmpError
from pyvirt_sim.qemu.memory_devices import MemoryDevices
from pyvirt_sim.qemu.tree import DeviceTree
from pyvirt_sim.qemu.world import World


class EmptyWorld:
    """A host without a file."""

    def file_exists(self, path: str) -> bool:
        """No file exists."""
        return False

    def serves_devices(self, path: str) -> bool:
        return path.endswith("/served")

    has_vhost_vsock = True

    def claim_vsock(self, cid: int) -> Callable[[], None] | None:
        return lambda: None

    def claim_port(self, port: int) -> Callable[[], None] | None:
        return lambda: None

    def folder_exists(self, path: str) -> bool:
        """But its folders do."""
        return True

    def append_text(self, path: str, text: str) -> None:
        """Every file can be made."""


@attrs.define
class Machine:
    """A device tree, and what came of it: events, and devices the guest was asked for."""

    tree: DeviceTree
    events: list[tuple[str, dict[str, Any]]]
    asked: list[Device]

    def settle(self) -> list[tuple[str, dict[str, Any]]]:
        """Let everything that is dying die; the events since the last time."""
        self.tree.flush()
        taken = list(self.events)
        self.events.clear()
        return taken

    def refusal(self, action: Callable[..., object], *arguments: object) -> str | None:
        """The error of an action, ``None`` when it succeeds."""
        try:
            action(*arguments)
        except QmpError as error:
            return error.description
        return None


PORTS = 4


def make_machine(board: str = "q35") -> Machine:
    """A machine with four root ports (q35) and a controller of each kind, not started."""
    events: list[tuple[str, dict[str, Any]]] = []
    asked: list[Device] = []

    def emit(name: str, data: Mapping[str, Any] | None = None) -> None:
        events.append((name, dict(data or {})))

    tree = DeviceTree(
        name="demo",
        pid=1,
        world=cast("World", EmptyWorld()),
        emit=emit,
        spawn=lambda *_, name: None,
        virtual_clock_ms=lambda: 0,
        ask_guest=asked.append,
        show_guest=lambda _device: None,
        board=BOARDS[board],
        memory=MemoryDevices(256 << 20, 4 << 30, 4),
        cpus=Cpus("qemu64-x86_64-cpu", Topology(1, 1, 2, 1)),
    )
    for number in range(1, PORTS + 1) if board == "q35" else ():
        tree.device_add({"driver": "pcie-root-port", "id": f"pci.{number}", "chassis": number})
    for driver, name in (
        ("virtio-scsi-pci", "scsi0"),
        ("piix3-usb-uhci", "usb"),
        ("virtio-serial-pci", "ser"),
    ):
        tree.device_add({"driver": driver, "id": name})
    tree.finish_building()
    return Machine(tree, events, asked)
