"""The buses of a guest: what hangs on them, whether it may change, and how they are found."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from pyvirt_sim.qemu.errors import QmpError, device_not_found
from pyvirt_sim.qemu.recorded_devices import is_a

if TYPE_CHECKING:
    from pyvirt_sim.qemu.devices import Device


class Hotplug(enum.Enum):
    """Who sees to it when a device comes to a bus, or goes, while the machine exists."""

    # Nobody: it cannot.
    NONE = enum.auto()
    # QEMU itself, at once: USB, SCSI, virtio-serial.
    AT_ONCE = enum.auto()
    # The guest, through ACPI.
    ACPI = enum.auto()
    # The bridge the bus belongs to: native PCI Express, or a standard hotplug controller.
    NATIVE = enum.auto()
    SHPC = enum.auto()

    @property
    def is_native(self) -> bool:
        """Whether the bridge handles it, so that ACPI has nothing to say."""
        return self in (Hotplug.NATIVE, Hotplug.SHPC)


@attrs.define(eq=False)
class Slot:
    """The registers of a port that handles hotplug itself.

    Attributes:
        is_powered: Power and its indicator are on; a slot that is off lets go without asking.
        is_blinking: The power indicator blinks: the guest is powering it on or off.
        is_pressed: The attention button was pressed and the guest has not noticed yet.
    """

    is_powered: bool = False
    is_blinking: bool = False
    is_pressed: bool = False


@attrs.define(eq=False)
class Bus:
    """A bus.

    Args:
        name: Its name; not always unique.
        kind: QOM type.
        parent: The device that carries it, ``None`` for the root of all.
        hotplug: Who handles coming and going.
        capacity: How many devices fit, ``None`` for no limit.
        slot: What stands in front of it, where it is `Hotplug.NATIVE`.
    """

    name: str
    kind: str
    parent: Device | None
    hotplug: Hotplug = Hotplug.NONE
    capacity: int | None = None
    # The latest first, as QEMU keeps and visits them.
    children: list[Device] = attrs.field(factory=list["Device"])
    # The index the next child gets in the object tree, and those of the present ones.
    _next: int = 0
    _indices: dict[int, int] = attrs.field(factory=dict[int, int])
    # A path that does not follow from the parent's.
    own_path: str | None = None
    # Position among the buses ACPI can eject from, as QEMU numbers them once, at the first reset.
    ejection_order: int | None = None
    slot: Slot = attrs.field(factory=Slot)

    @property
    def path(self) -> str:
        """Where it hangs in QEMU's object tree."""
        if self.own_path is not None:
            return self.own_path
        return f"{self.parent.path}/{self.name}" if self.parent is not None else f"/{self.name}"

    @property
    def is_full(self) -> bool:
        """Whether no further device fits."""
        return self.capacity is not None and len(self.children) >= self.capacity

    def add(self, device: Device) -> None:
        """Hang a device on it."""
        self.children.insert(0, device)
        self._indices[device.number] = self._next
        self._next += 1

    def remove(self, device: Device) -> None:
        """Take a device off it."""
        self.children.remove(device)
        del self._indices[device.number]

    def links(self) -> Iterator[tuple[str, Device]]:
        """The names under which the object tree lists its devices."""
        for device in self.children:
            yield f"child[{self._indices[device.number]}]", device


def find_by_type(bus: Bus, kind: str) -> Bus | None:
    """The first bus of that type at or behind ``bus`` with room, else one without, else none."""
    return _search(bus, None, kind)


def find_by_path(root: Bus, path: str) -> Bus:
    """The bus that ``path`` names: a name, then device and bus names in turn.

    Raises:
        QmpError: There is none, with QEMU's sentence for the element that was not found.
    """
    elements = [element for element in path.split("/") if element]
    if path.startswith("/"):
        bus = root
    else:
        name = elements.pop(0) if elements else ""
        found = _search(root, name, None)
        if found is None:
            raise QmpError(f"Bus '{name}' not found")
        bus = found
    while elements:
        device = _device_on(bus, elements.pop(0))
        if not elements:
            # The last element may be a device with a single bus.
            if len(device.buses) > 1:
                raise QmpError(f"Device '{path.rpartition('/')[2]}' has multiple child buses")
            if not device.buses:
                raise QmpError(f"Device '{path.rpartition('/')[2]}' has no child bus")
            bus = device.buses[0]
            break
        name = elements.pop(0)
        matches = [one for one in device.buses if one.name == name]
        if not matches:
            raise QmpError(f"Bus '{name}' not found")
        bus = matches[0]
    if bus.is_full:
        raise QmpError(f"Bus '{path}' is full")
    return bus


def _device_on(bus: Bus, name: str) -> Device:
    for is_id in (True, False):
        for device in bus.children:
            if (device.id if is_id else device.driver) == name:
                return device
    raise device_not_found(name)


def _search(bus: Bus, name: str | None, kind: str | None) -> Bus | None:
    matches = bus.name == name if kind is None else is_a(bus.kind, kind)
    if matches and not bus.is_full:
        return bus
    pick = bus if matches else None
    for device in bus.children:
        for child in device.buses:
            found = _search(child, name, kind)
            if found is not None and not found.is_full:
                return found
            pick = pick or found
    return pick
