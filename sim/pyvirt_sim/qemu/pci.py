"""PCI: addresses on a bus, the buses behind bridges, and who ejects what from them."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu import recorded_devices as recorded
from pyvirt_sim.qemu.buses import Bus, Hotplug
from pyvirt_sim.qemu.devices import Device, properties_of
from pyvirt_sim.qemu.errors import QmpError
from pyvirt_sim.qemu.recorded_devices import is_a

if TYPE_CHECKING:
    from pyvirt_sim.qemu.tree import DeviceTree

# How many bits of the PCI address of a bridge ACPI can name with an index.
_MAX_ACPI_INDEX: Final = 16383
# Options that leave no trace in the registers of a device.
_WITHOUT_TRACE: Final = frozenset({"addr", "mac", "multifunction", "chassis", "chassis_nr", "slot"})
_BRIDGES: Final = ("pcie-root-port", "pcie-pci-bridge", "pci-bridge")


def is_pci(driver: str) -> bool:
    """Whether a device type is a PCI device."""
    return is_a(driver, "pci-device")


def at(bus: Bus, slot: int, function: int) -> Device | None:
    """The device at an address."""
    for device in bus.children:
        if device.address == (slot, function):
            return device
    return None


def prepare(tree: DeviceTree, device: Device) -> None:
    """What the hotplug handler checks before a device is realized.

    Raises:
        QmpError: It does not want it.
    """
    bus = _bus_of(device)
    if not bus.hotplug.is_native:
        _check_acpi_index(tree, device)
    if bus.hotplug is Hotplug.NATIVE and device.is_hotplugged and not _takes_plugs(bus):
        name = bus.parent.id if bus.parent is not None else None
        raise QmpError(f"Hot-plug failed: unsupported by the port device '{name}'")


def _check_acpi_index(tree: DeviceTree, device: Device) -> None:
    index = device.value("acpi-index") or 0
    if index > _MAX_ACPI_INDEX:
        raise QmpError(f"acpi-index should be less or equal to {_MAX_ACPI_INDEX}")
    others = (one for one in tree.all() if one is not device)
    if index and any(
        one.values.get("acpi-index") == index and not _bus_of(one).hotplug.is_native
        for one in others
    ):
        raise QmpError(f"a PCI device with acpi-index = {index} already exist")


def _takes_plugs(bus: Bus) -> bool:
    return bus.parent is None or bus.parent.value("hotplug") is not False


def place(device: Device) -> None:
    """Give a device its address, the one asked for or the first free slot.

    Raises:
        QmpError: The address is taken, or its function 0 forbids it.
    """
    size = device.value("romsize")
    if isinstance(size, int) and size != 0xFFFFFFFF and size & (size - 1):
        raise QmpError(f"ROM size {size} is not a power of two")
    bus = _bus_of(device)
    wanted = device.values.get("addr")
    device.address = _first_free(bus, device) if wanted is None else _check(bus, device, wanted)
    _check_multifunction(bus, device)
    slot, function = device.address
    device.values["addr"] = slot << 3 | function


def plugged(device: Device) -> None:
    """What the hotplug handler checks after a device was realized."""
    bus = _bus_of(device)
    if bus.hotplug is Hotplug.SHPC and device.is_hotplugged and device.address[0] == 0:
        raise QmpError(
            "Unsupported PCI slot 0 for standard hotplug controller. "
            "Valid slots are between 1 and 31."
        )


def _first_free(bus: Bus, device: Device) -> tuple[int, int]:
    for slot in range(32):
        if at(bus, slot, 0) is None:
            return slot, 0
    raise QmpError(f"PCI: no slot/function available for {device.driver}, all in use or reserved")


def _check(bus: Bus, device: Device, wanted: int) -> tuple[int, int]:
    slot, function = wanted >> 3, wanted & 7
    occupant = at(bus, slot, function)
    if occupant is not None:
        raise QmpError(
            f"PCI: slot {slot} function {function} not available for {device.driver}, "
            f"in use by {occupant.described}"
        )
    # Behind a root port only function 0 of slot 0 tells the guest that somebody is there.
    first = at(bus, 0 if _is_behind_port(bus) else slot, 0)
    if device.is_hotplugged and first is not None:
        raise QmpError(
            f"PCI: slot {first.address[0]} function 0 already occupied by {first.driver}, "
            f"new func {device.driver} cannot be exposed to guest."
        )
    return slot, function


def _is_behind_port(bus: Bus) -> bool:
    return bus.parent is not None and bus.parent.driver == "pcie-root-port"


def _check_multifunction(bus: Bus, device: Device) -> None:
    slot, function = device.address
    if device.value("multifunction"):
        return
    first = at(bus, slot, 0)
    if function and first is not None and not first.value("multifunction"):
        raise QmpError(
            f"PCI: single function device can't be populated in function {slot:x}.{function:x}"
        )
    if not function:
        for other in range(1, 8):
            if at(bus, slot, other) is not None:
                raise QmpError(
                    f"PCI: {slot:x}.0 indicates single function, "
                    f"but {slot:x}.{other:x} is already populated."
                )


def _bus_of(device: Device) -> Bus:
    if device.bus is None:
        raise AssertionError(f"{device.name} is on no bus")
    return device.bus


# -- bridges ----------------------------------------------------------------------------------


def add_bridge_bus(tree: DeviceTree, device: Device) -> None:
    """The bus behind a bridge."""
    is_port = device.driver == "pcie-root-port"
    kind = "PCIE" if is_port else "PCI"
    # Behind a bridge that came later ACPI has nothing to say.
    if not device.is_hotplugged and tree.board.port_hotplug is Hotplug.ACPI:
        hotplug = Hotplug.ACPI
    else:
        hotplug = Hotplug.NATIVE if is_port else Hotplug.SHPC
    name = device.id or tree.automatic_bus_name(kind)
    if name in properties_of(device.driver):
        raise ModelGapError(f"QEMU 7.2 aborts when a bridge has the id {name}")
    if is_port:
        _check_chassis(tree, device)
    device.add_bus(Bus(name, kind, device, hotplug))


def _check_chassis(tree: DeviceTree, port: Device) -> None:
    """Refuse a port that has the chassis and the slot of another, as they come from the user."""
    place = (port.value("chassis"), port.value("slot"))
    others = (one for one in tree.all() if one.driver == port.driver and one.is_realized)
    if any((one.value("chassis"), one.value("slot")) == place for one in others):
        raise QmpError(f"Can't add chassis slot, error -{errno.EBUSY}")


def number_ejections(root: Bus) -> None:
    """Number the buses ACPI ejects from, as QEMU does: depth first, the latest bus first."""
    for order, bus in enumerate(_ejecting(root)):
        bus.ejection_order = order


def _ejecting(bus: Bus) -> Iterator[Bus]:
    if bus.hotplug is Hotplug.ACPI:
        yield bus
    for device in bus.children:
        for child in device.buses:
            if child.kind in {"PCI", "PCIE"}:
                yield from _ejecting(child)


def may_be_ejected(device: Device) -> bool:
    """Whether ACPI lets go of a device: bridges that were there from the start stay."""
    return device.is_hotplugged or device.driver not in _BRIDGES


def slot_mates(device: Device) -> list[Device]:
    """All functions of the slot of a device, in the order in which an ejection takes them."""
    bus = _bus_of(device)
    return [one for one in bus.children if one.address[0] == device.address[0]]


# -- queries ----------------------------------------------------------------------------------


def listing(tree: DeviceTree) -> list[dict[str, Any]]:
    """QMP ``query-pci`` before any firmware has numbered the buses behind bridges.

    Raises:
        ModelGapError: The processors have run.
    """
    if tree.virtual_clock_ms():
        raise ModelGapError("query-pci is modelled only before the processors have run")
    board: list[dict[str, Any]] = recorded.BOARDS[tree.board.name]["pci"][0]["devices"]
    chips: dict[tuple[int, ...], dict[str, Any]] = {}
    for chip in board:
        chips[chip["slot"], chip["function"]] = chip
    devices = sorted(tree.root.children, key=lambda device: device.address)
    return [{"bus": 0, "devices": [_describe(tree, device, chips) for device in devices]}]


def _describe(
    tree: DeviceTree, device: Device, chips: Mapping[tuple[int, ...], dict[str, Any]]
) -> dict[str, Any]:
    if device.address in chips and device.id is None:
        return chips[device.address]
    boards: dict[str, dict[str, Any]] = recorded.MODELS[device.driver].get("pci") or {}
    registers = boards.get(tree.board.name)
    if registers is None or device.values.keys() - _WITHOUT_TRACE:
        raise ModelGapError(f"the registers of {device.described} are not modelled")
    slot, function = device.address
    place = {"bus": 0, "slot": slot, "function": function, "qdev_id": device.id or ""}
    return {**registers, **place}
