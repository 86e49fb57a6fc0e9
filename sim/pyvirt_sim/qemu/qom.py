"""QEMU's object tree as a monitor walks it: paths, properties, values.

Boards, devices and objects were recorded from a real QEMU: the names and types of their properties,
and the values they have when nothing was asked for. What a user gave, and where a device sits,
replaces the recorded values; a value that may follow from something else is a gap.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

import attrs

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu import recorded_devices as recorded
from pyvirt_sim.qemu.buses import Bus, Hotplug
from pyvirt_sim.qemu.devices import Device, owner_of
from pyvirt_sim.qemu.errors import QmpError, device_not_found
from pyvirt_sim.qemu.objects import QomObject
from pyvirt_sim.qemu.recorded_devices import Row

if TYPE_CHECKING:
    from pyvirt_sim.qemu.tree import DeviceTree

_PERIPHERAL: Final = "/machine/peripheral"
# Containers whose members come and go.
_CONTAINERS: Final = frozenset({_PERIPHERAL, "/machine/peripheral-anon", "/objects", "/chardevs"})
# What a board has only where memory modules can be plugged in.
_ROOM: Final = ("acpi-mem-hotplug", "device-memory[")
# What the power management chip has for hotplug behind root ports, if that is ACPI's.
_ACPI_PORTS: Final = ("acpi-pci-hotplug[", "acpi-pcihp-io-")
_TYPE_ROW: Final[Row] = ["type", "string", "container"]
# Options that decide nothing but themselves, or what this module computes from them.
_INDEPENDENT: Final = frozenset(
    {"addr", "mac", "serial", "max-bytes", "period", "ats", "nr", "name", "scsi-id", "lun"}
    | {"channel", "share-rw", "slot", "chassis", "port", "size", "node", "share", "merge", "dump"}
)


@attrs.frozen
class Place:
    """An object at a path: its rows, and how their values are to be read.

    Args:
        path: Where.
        rows: Its properties.
        device: The device it is or belongs to.
        item: The object it is.
        prefix: What a ``$`` at the start of a recorded value stands for.
    """

    path: str
    rows: list[Row]
    device: Device | None = None
    item: QomObject | None = None
    prefix: str = ""

    @property
    def kind(self) -> str:
        """Its type."""
        return str(self.rows[0][2])

    def row(self, name: str) -> Row | None:
        """A property of it."""
        return next((row for row in self.rows if row[0] == name), None)


class Qom:
    """The object tree of one machine.

    Args:
        tree: Its devices.
    """

    def __init__(self, tree: DeviceTree) -> None:
        self._tree = tree

    # -- commands -----------------------------------------------------------------------------

    def list_properties(self, path: str) -> list[dict[str, str]]:
        """QMP ``qom-list``.

        Raises:
            QmpError: There is no object at that path.
        """
        if not path:
            raise QmpError("Path '' is ambiguous")
        place = self._resolve(path)
        return [{"name": row[0], "type": row[1]} for row in place.rows]

    def get(self, path: str, name: str) -> Any:
        """QMP ``qom-get``.

        Raises:
            QmpError: There is no such object, no such property, or it cannot be read.
        """
        place = self._resolve(path)
        row = place.row(name)
        if row is None:
            raise QmpError(f"Property '{place.kind}.{name}' not found")
        if row[1].startswith("child<"):
            return f"{place.path.rstrip('/')}/{name}"
        if name == "type":
            return place.kind
        value = self._value(place, row)
        if isinstance(value, dict):
            found = cast("dict[str, Any]", value)
            if set(found) == {"error"}:
                raise QmpError(str(found["error"]))
        return cast("object", value)

    def set(self, path: str, name: str, value: object) -> None:
        """QMP ``qom-set``, as far as it is refused; and the size a virtio-mem device is asked for.

        Raises:
            QmpError: There is no such object or property, or it is too late to set it.
            ModelGapError: QEMU would set it.
        """
        place = self._resolve(path)
        row = place.row(name)
        if row is None:
            raise QmpError(f"Property '{place.kind}.{name}' not found")
        if name in {"type", "hotplugged", "hotpluggable", "legacy-addr", "parent_bus"}:
            raise QmpError(f"Property '{place.kind}.{name}' is not writable")
        if row[1].startswith("child<"):
            raise QmpError(f"Property '{place.kind}.{name}' is not writable")
        device = place.device
        if device is not None and (device.driver, name) == ("virtio-mem-pci", "requested-size"):
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise ModelGapError("a requested size that is no number is not modelled")
            self._tree.memory.request(self._tree, device, value)
            return
        listed = recorded.MODELS.get(place.kind, {}).get("properties", {})
        is_static = name in listed and not row[1].startswith("link<")
        if device is None or place.path != device.path or not is_static or name in _SETTABLE:
            raise ModelGapError(f"qom-set of {place.kind}.{name} is not modelled")
        owner = owner_of(place.kind, name)
        who = f"device '{device.id}'" if device.id and owner == place.kind else "anonymous device"
        raise QmpError(
            f"Attempt to set property '{name}' on {who} (type '{owner}') after it was realized"
        )

    # -- finding ------------------------------------------------------------------------------

    def _resolve(self, path: str) -> Place:
        if not path.startswith("/"):
            path = self._absolute(path)
        path = "/" + "/".join(part for part in path.split("/") if part)
        place = self._find(path)
        if place is None:
            raise device_not_found(path)
        return place

    def _absolute(self, name: str) -> str:
        """The absolute path that a part of one stands for."""
        device = self._tree.devices.get(name)
        item = self._tree.objects.get(name)
        if (
            device is not None
            and item is None
            and not any(bus.name == name for bus in device.buses)
        ):
            return device.path
        if item is not None and device is None:
            return item.path
        if self._tree.chardevs.has(name):
            raise ModelGapError("the objects of character devices are not modelled")
        if "/" in name or device is not None or item is not None or _is_recorded(name):
            raise ModelGapError(f"the object meant by the partial path {name} is not modelled")
        if any(bus.name == name for one in self._tree.all() for bus in one.buses):
            raise ModelGapError(f"the object meant by the partial path {name} is not modelled")
        raise device_not_found(name)

    def _find(self, path: str) -> Place | None:
        if path in _CONTAINERS:
            return Place(path, self._container(path))
        if path.startswith("/objects/"):
            return self._find_object(path)
        if path.startswith("/chardevs/"):
            raise ModelGapError("the objects of character devices are not modelled")
        for device in self._tree.devices.values():
            if path == device.path or path.startswith(f"{device.path}/"):
                return self._find_part(device, path)
        return self._find_on_board(path)

    def _container(self, path: str) -> list[Row]:
        if path == _PERIPHERAL:
            names = [(name, self._tree.devices[name].driver) for name in self._tree.peripheral]
        elif path == "/objects":
            names = [(item.id, item.kind) for item in self._tree.objects.in_order()]
        elif path == "/chardevs":
            names = [(item.id, f"chardev-{item.kind}") for item in self._tree.chardevs.in_order()]
        else:
            names = [
                (device.path.rpartition("/")[2], device.driver)
                for device in self._tree.devices.values()
                if device.path.startswith(f"{path}/")
            ]
        return [_TYPE_ROW, *([name, f"child<{kind}>"] for name, kind in reversed(names))]

    def _find_object(self, path: str) -> Place | None:
        name, _, rest = path.removeprefix("/objects/").partition("/")
        item = self._tree.objects.get(name)
        if item is None:
            return None
        relative = f"/{rest}".replace(name, "probed") if rest else ""
        rows = recorded.rows(recorded.OBJECTS[item.kind]["tree"], relative)
        if rows is None:
            return None
        return Place(path, _renamed(rows, name), item=None if rest else item, prefix=item.path)

    def _find_part(self, device: Device, path: str) -> Place | None:
        """A device, or one of the objects it is made of."""
        model = recorded.MODELS.get(device.driver, {})
        if "tree" not in model:
            raise ModelGapError(f"the objects of a {device.driver} are not modelled")
        name = device.id or ""
        parts = path[len(device.path) :].split("/")
        relative = "/".join(_as_recorded(part, name) for part in parts)
        rows = recorded.rows(model["tree"], relative)
        if rows is None:
            return None
        if path != device.path and rows[0][2] == "memory-region":
            self._check_untouched(device)
        bus = next((bus for bus in _buses_of(device) if bus.path == path), None)
        rows = _renamed(rows, name)
        if bus is not None:
            rows = self._bus_rows(bus, rows)
        self._check_like_recorded(device, path)
        return Place(path, rows, device=device, prefix=device.path)

    def _bus_rows(self, bus: Bus, rows: list[Row]) -> list[Row]:
        links: list[Row] = [
            [name, f"link<{child.driver}>", child.path] for name, child in bus.links()
        ]
        kept = [row for row in rows if not row[0].startswith("child[")]
        if bus.ejection_order is not None:
            raise ModelGapError("the properties of a bus that ACPI ejects from are not modelled")
        return [*kept, *links]

    def _check_untouched(self, device: Device) -> None:
        """Memory regions are where the recorded ones were only before anything has run."""
        if self._tree.virtual_clock_ms() or device.values.keys() - {"addr"}:
            raise ModelGapError("the memory regions of this device are not modelled")

    def _check_like_recorded(self, device: Device, path: str) -> None:
        """Refuse where the recorded device was plugged in another way."""
        bus = device.bus
        if bus is None or not recorded.is_a(bus.kind, "PCI"):
            return
        is_behind_port = bus.parent is not None and bus.parent.driver == "pcie-root-port"
        if not is_behind_port and (path != device.path or device.driver.startswith("virtio")):
            raise ModelGapError(f"the objects of a {device.driver} on {bus.name} are not modelled")

    def _find_on_board(self, path: str) -> Place | None:
        board = recorded.BOARDS[self._tree.board.name]["tree"]
        rows = recorded.rows(board, "" if path == "/" else path)
        if rows is None:
            return None
        if self._tree.board.port_hotplug is Hotplug.NATIVE:
            if path.rpartition("/")[2].startswith(_ACPI_PORTS):
                return None
            rows = [row for row in rows if not row[0].startswith(_ACPI_PORTS)]
        if self._tree.cpus.topology.present > 1 and path.startswith("/machine/"):
            raise ModelGapError("the board of a machine with several processors is not modelled")
        if path in {self._tree.board.root_path, "/machine/unattached"}:
            raise ModelGapError(f"what is at {path} is not modelled")
        if not self._tree.memory.slots:
            # The recorded boards had room for memory modules.
            rows = [row for row in rows if not row[0].startswith(_ROOM)]
        return Place(path, rows)

    # -- values -------------------------------------------------------------------------------

    def _value(self, place: Place, row: Row) -> Any:
        name = row[0]
        if place.item is not None:
            return place.item.value(name)
        if place.device is None:
            raise ModelGapError(f"the value of {place.path}.{name} is not modelled")
        if place.path == place.device.path:
            return self._device_value(place.device, row)
        return _placed(row[2] if len(row) > 2 else None, place)

    def _device_value(self, device: Device, row: Row) -> Any:
        name, kind = row[0], row[1]
        if name == "parent_bus":
            return device.bus.path if device.bus is not None else ""
        if name in {"realized", "hotplugged"}:
            return True if name == "realized" else device.is_hotplugged
        if name in device.links:
            return device.links[name]
        if kind.startswith("link<") and name in device.objects:
            return device.objects[name].path
        if name == "legacy-addr" and len(device.address) == 2:
            return f"{device.address[0]:02x}.{device.address[1]:x}"
        if name in device.values:
            return device.values[name]
        if device.values.keys() - _INDEPENDENT - {name}:
            raise ModelGapError(
                f"{name} of a {device.driver} with {sorted(device.values)} is not modelled"
            )
        if name in recorded.MODELS[device.driver].get("given", ()):
            if kind.startswith("link<") or kind == "str":
                return ""
            return device.value(name)
        if kind.startswith("link<") and row[2] and not str(row[2]).startswith("$"):
            raise ModelGapError(f"the value of {device.driver}.{name} is not modelled")
        return _placed(row[2] if len(row) > 2 else None, Place(device.path, [], prefix=device.path))


# Properties of devices that may change while the device lives.
_SETTABLE: Final = frozenset(
    {"bootindex", "drive", "guest-stats-polling-interval", "guest-stats", "free-page-reporting"}
    | {"realized", "requested-size", "attached", "memory", "write-cache"}
)


def _placed(value: Any, place: Place) -> Any:
    """A recorded value, with the path of this object in place of the recorded one's."""
    if isinstance(value, str) and (value == "$" or value.startswith("$/")):
        if "probed" in value:
            raise ModelGapError(f"the value {value} is not modelled")
        return f"{place.prefix}{value[1:]}"
    return value


def _as_recorded(part: str, name: str) -> str:
    """The recorded name of a part of a device: some are called after the device's id."""
    if name and (part == name or part.startswith((f"{name}.", f"{name}["))):
        return f"probed{part[len(name) :]}"
    return part


def _renamed(rows: list[Row], name: str) -> list[Row]:
    """Recorded rows, with the names that contain the recorded id changed to this one."""
    if not any("probed" in row[0] for row in rows):
        return rows
    return [[row[0].replace("probed", name), *row[1:]] for row in rows]


def _buses_of(device: Device) -> list[Bus]:
    """The buses of a device and of the devices inside it."""
    found = list(device.buses)
    for bus in device.buses:
        for child in bus.children:
            if child.path.startswith(f"{device.path}/"):
                found += child.buses
    return found


@cache
def _recorded_names() -> frozenset[str]:
    """Every name that occurs in a recorded tree."""
    names: set[str] = set()
    trees: list[Mapping[str, list[int]]] = [board["tree"] for board in recorded.BOARDS.values()]
    trees += [model["tree"] for model in recorded.MODELS.values() if "tree" in model]
    trees += [item["tree"] for item in recorded.OBJECTS.values()]
    for tree in trees:
        for path in tree:
            names.update(row[0] for row in recorded.rows(tree, path) or ())
    return frozenset(names)


def _is_recorded(name: str) -> bool:
    return name in _recorded_names()
