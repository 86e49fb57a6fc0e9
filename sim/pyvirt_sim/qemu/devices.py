"""A device of the guest, and what QEMU knows of its type."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import attrs

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu import recorded_devices as recorded
from pyvirt_sim.qemu.buses import Bus
from pyvirt_sim.qemu.errors import QmpError
from pyvirt_sim.qemu.recorded_devices import Row
from pyvirt_sim.qemu.world import VfioHandle

if TYPE_CHECKING:
    from pyvirt_sim.qemu.objects import QomObject

# Names by which people call types since before there was a rule.
_ALIASES: Final[Mapping[str, str]] = {
    "AC97": "ac97",
    "e1000-82540em": "e1000",
    "ahci": "ich9-ahci",
    "lsi": "lsi53c895a",
    **{
        f"virtio-{name}": f"virtio-{name}-pci"
        for name in (
            [
                "9p",
                "balloon",
                "blk",
                "gpu",
                "input-host",
                "iommu",
                "keyboard",
                "mouse",
                "net",
                "rng",
                "scsi",
                "serial",
                "tablet",
            ]
        )
    },
}
# The inner objects that a property may really belong to.
_INNER: Final = ("/virtio-backend", "/serial", "/xhci-core")


@attrs.define(eq=False, kw_only=True)
class Device:
    """One device of the machine, from its creation until nothing refers to it any more.

    Args:
        number: Which device of the machine it is, in order of creation.
        driver: Its type.
        id: Its name, ``None`` when it was given none.
        path: Where it hangs in QEMU's object tree.
        bus: The bus it sits on, ``None`` for memory modules and processors.
        values: The properties it was given, and those it was given by being plugged in.
        buses: The buses it carries, the latest first.
        address: Its place on the bus; for PCI slot and function.
        links: Back ends it uses: property -> name.
        objects: Objects it uses: property -> object.
        is_hotplugged: Whether the machine existed before it.
        on_unrealize: What is undone as soon as it is taken out.
        on_finalize: What is given back when the last reference has gone.
        is_leaked: Whether a reference to it is never dropped, so that its end is never announced.
        vfio: The open host device behind it.
        unplug_until_ms: Until when by the virtual clock a further unplug request is refused, 0 for
            ever; ``None`` when none is pending.
        in_tree: False once it has left the machine, though it may not be finalized yet.
    """

    number: int
    driver: str
    id: str | None
    path: str
    bus: Bus | None
    values: dict[str, Any] = attrs.field(factory=dict[str, Any])
    buses: list[Bus] = attrs.field(factory=list[Bus])
    address: tuple[int, ...] = ()
    links: dict[str, str] = attrs.field(factory=dict[str, str])
    objects: dict[str, QomObject] = attrs.field(factory=dict[str, "QomObject"])
    is_hotplugged: bool = False
    on_unrealize: list[Callable[[], None]] = attrs.field(factory=list[Callable[[], None]])
    on_finalize: list[Callable[[], None]] = attrs.field(factory=list[Callable[[], None]])
    is_realized: bool = False
    is_leaked: bool = False
    vfio: VfioHandle | None = None
    unplug_until_ms: int | None = None
    in_tree: bool = True

    @property
    def name(self) -> str:
        """What people call it."""
        return self.id or self.path

    @property
    def described(self) -> str:
        """How QEMU names the occupant of a PCI address."""
        return f"{self.driver},id={self.id or '(null)'}"

    def value(self, name: str) -> Any:
        """A property: as it was given, else as a real QEMU has it when nothing is given."""
        if name in self.values:
            return self.values[name]
        model = _model(self.driver)
        if name in model.get("given", ()):
            # The recorded device was given one.
            return model["properties"].get(name, {}).get("default-value")
        row = properties_of(self.driver).get(name)
        return row[2] if row is not None and len(row) > 2 else None

    def add_bus(self, bus: Bus) -> Bus:
        """Carry one more bus."""
        self.buses.insert(0, bus)
        return bus


def walk(bus: Bus) -> Iterator[Device]:
    """The devices on a bus and behind it, parents first."""
    for device in bus.children:
        yield device
        for child in device.buses:
            yield from walk(child)


def resolve_type(name: str, *, is_built: bool) -> str:
    """The device type a user means.

    Args:
        name: A type or an alias.
        is_built: Whether the machine exists already, so that it must be hotpluggable.

    Raises:
        QmpError: QEMU has no such device type, or not for users.
    """
    driver = name if name in recorded.TYPES else _ALIASES.get(name, name)
    if driver not in recorded.TYPES or not recorded.is_a(driver, "device"):
        if driver != name:
            raise QmpError(f"'{name}' (alias '{driver}') is not a valid device model name")
        raise QmpError(f"'{name}' is not a valid device model name")
    refusal = recorded.REFUSALS.get(driver)
    if refusal is not None and (is_built or refusal != _NOT_NOW):
        raise QmpError(refusal)
    return driver


_NOT_NOW: Final = "Parameter 'driver' expects a pluggable device type"


def _model(driver: str) -> Mapping[str, Any]:
    """What was recorded of a type; processors of all models have the same properties."""
    return recorded.MODELS.get(driver) or recorded.MODELS["qemu64-x86_64-cpu"]


def check_modelled(driver: str) -> None:
    """Refuse a device type whose behaviour is not modelled.

    Raises:
        ModelGapError: QEMU has it, we do not.
    """
    if driver not in recorded.MODELS and not recorded.is_a(driver, "cpu"):
        raise ModelGapError(f"device type {driver} is not modelled")


@cache
def properties_of(driver: str) -> Mapping[str, Row]:
    """The properties of a plugged device of a modelled type, by name."""
    model = _model(driver)
    if "tree" in model:
        return {row[0]: row for row in recorded.rows(model["tree"], "") or ()}
    everywhere: list[Row] = [["type", "string", driver], ["parent_bus", "link<bus>", ""]]
    everywhere += [[name, "bool", True] for name in ("realized", "hotplugged", "hotpluggable")]
    listed = [
        [name, item["type"], item.get("default-value")]
        for name, item in model["properties"].items()
    ]
    return {row[0]: row for row in (*everywhere, *listed)}


@cache
def owner_of(driver: str, name: str) -> str:
    """The type that QEMU names in errors about a property: an inner object's, where it has it."""
    tree: Mapping[str, list[int]] = _model(driver).get("tree", {})
    for path in _INNER:
        rows = recorded.rows(tree, path)
        if rows is not None and any(row[0] == name for row in rows):
            return str(rows[0][2])
    return driver
