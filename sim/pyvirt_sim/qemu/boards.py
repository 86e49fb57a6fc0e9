"""The boards, and what they carry before anything is plugged in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import attrs

from pyvirt_sim.qemu import recorded_devices as recorded
from pyvirt_sim.qemu.buses import Bus, Hotplug
from pyvirt_sim.qemu.devices import Device

if TYPE_CHECKING:
    from pyvirt_sim.qemu.tree import DeviceTree


@attrs.frozen(kw_only=True)
class Board:
    """A machine type.

    Args:
        name: QEMU's short name.
        root: Name of its first PCI bus.
        root_kind: QOM type of that bus.
        root_path: Where that bus hangs in the object tree.
        hotplug: Who handles hotplug on that bus.
        port_hotplug: Who handles it behind the root ports of the start.
    """

    name: str
    root: str
    root_kind: str
    root_path: str
    hotplug: Hotplug
    port_hotplug: Hotplug = Hotplug.ACPI


BOARDS: Final[Mapping[str, Board]] = {
    "q35": Board(
        name="q35",
        root="pcie.0",
        root_kind="PCIE",
        root_path="/machine/q35/pcie.0",
        hotplug=Hotplug.NONE,
    ),
    "pc": Board(
        name="pc",
        root="pci.0",
        root_kind="PCI",
        root_path="/machine/i440fx/pci.0",
        hotplug=Hotplug.ACPI,
    ),
}


@attrs.frozen
class _Chip:
    """A PCI device that is part of a board, and the buses it carries."""

    driver: str
    path: str
    devfn: int
    is_multifunction: bool
    buses: tuple[tuple[str, str], ...]


@cache
def _chips(name: str) -> tuple[_Chip, ...]:
    """The PCI devices of a board, in order of their address."""
    tree: Mapping[str, list[int]] = recorded.BOARDS[name]["tree"]
    found: list[_Chip] = []
    for path in tree:
        rows = {row[0]: row for row in recorded.rows(tree, path) or ()}
        parent: Any = rows.get("parent_bus", [None, None, None])[2]
        if parent != BOARDS[name].root_path:
            continue
        # QEMU lists the buses of a device with the latest first, so the first comes first here.
        buses = [
            (row[0], row[1][len("child<") : -1])
            for row in rows.values()
            if row[1].startswith("child<") and row[1][len("child<") : -1] in _BUS_KINDS
        ]
        driver = str(rows["type"][2])
        shared = bool(rows["multifunction"][2])
        found.append(_Chip(driver, path, int(rows["addr"][2]), shared, tuple(sorted(buses))))
    return tuple(sorted(found, key=lambda chip: chip.devfn))


_BUS_KINDS: Final = frozenset({"ISA", "IDE", "i2c-bus", "usb-bus"})


@cache
def first_free_index(name: str) -> int:
    """The lowest number no device of a bare board has among the unattached ones."""
    tree: Mapping[str, list[int]] = recorded.BOARDS[name]["tree"]
    taken = {row[0] for row in recorded.rows(tree, "/machine/unattached") or ()}
    return next(n for n in range(len(taken) + 1) if f"device[{n}]" not in taken)


def build(tree: DeviceTree, board: Board) -> tuple[Bus, Bus]:
    """Put the board's own devices in place.

    Returns:
        The root of all buses, and the first PCI bus.
    """
    root = Bus("main-system-bus", "System", None)
    host = Device(number=-1, driver="system", id=None, path="/machine", bus=root)
    bus = Bus(board.root, board.root_kind, host, board.hotplug, own_path=board.root_path)
    host.add_bus(bus)
    root.add(host)
    for chip in _chips(board.name):
        device = tree.create(chip.driver, None, chip.path, bus)
        device.address = (chip.devfn >> 3, chip.devfn & 7)
        device.values["multifunction"] = chip.is_multifunction
        device.is_realized = True
        bus.add(device)
        for name, kind in chip.buses:
            device.add_bus(Bus(name, kind, device))
    return root, bus
