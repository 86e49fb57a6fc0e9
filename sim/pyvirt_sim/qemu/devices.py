"""The device types that are modelled, and the devices and buses made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu import recorded
from pyvirt_sim.qemu.errors import QmpError
from pyvirt_sim.qemu.text import is_mac, parse_slot_function
from pyvirt_sim.qemu.world import VfioHandle


@attrs.frozen(kw_only=True)
class DeviceType:
    """A QEMU device model, as far as a monitor can tell it from others.

    Args:
        name: QEMU's name, the ``driver`` of ``device_add``.
        bus: The kind of bus it sits on, ``PCI`` or ``ISA``.
        child: Name of the inner device that is announced before it when it goes.
        child_type: Type of that inner device, named in errors about properties passed on to it.
        provides_bus: Whether it carries a bus for one more device.
        passed_on: Properties that belong to the inner device.
        modelled: Properties that may be set here.
    """

    name: str
    bus: str = "PCI"
    child: str | None = None
    child_type: str | None = None
    provides_bus: bool = False
    passed_on: frozenset[str] = frozenset()
    modelled: frozenset[str]

    def owner_of(self, prop: str) -> str:
        """The type that QEMU names in an error about this property."""
        return self.child_type if self.child_type and prop in self.passed_on else self.name


# Properties of every PCI device that change nothing a monitor can see, besides the address.
_PCI: Final = frozenset({"addr", "multifunction", "bootindex", "romfile", "rombar", "acpi-index"})
_VIRTIO: Final = _PCI | {
    "disable-legacy",
    "disable-modern",
    "vectors",
    "iommu_platform",
    "ats",
    "packed",
    "page-per-vq",
}

DEVICE_TYPES: Final[Mapping[str, DeviceType]] = {
    kind.name: kind
    for kind in (
        DeviceType(
            name="pcie-root-port",
            provides_bus=True,
            modelled=_PCI | {"port", "chassis", "slot", "io-reserve", "mem-reserve"},
        ),
        DeviceType(
            name="isa-serial",
            bus="ISA",
            child_type="serial",
            passed_on=frozenset({"chardev"}),
            modelled=frozenset({"chardev", "index", "iobase", "irq"}),
        ),
        DeviceType(
            name="virtio-rng-pci",
            child="virtio-backend",
            modelled=_VIRTIO | {"rng", "max-bytes", "period"},
        ),
        DeviceType(
            name="virtio-net-pci",
            child="virtio-backend",
            child_type="virtio-net-device",
            passed_on=frozenset({"netdev", "mac"}),
            modelled=_VIRTIO | {"netdev", "mac", "mq", "host_mtu"},
        ),
        DeviceType(
            name="virtio-blk-pci",
            child="virtio-backend",
            child_type="virtio-blk-device",
            passed_on=frozenset({"drive"}),
            modelled=_VIRTIO
            | {"drive", "serial", "write-cache", "werror", "rerror", "num-queues", "discard"},
        ),
        DeviceType(name="vfio-pci", modelled=_PCI | {"host"}),
    )
}


@attrs.define(eq=False)
class Bus:
    """A bus of the guest. Occupied slots are keyed by slot and function."""

    name: str
    kind: str
    hotpluggable: bool
    devices: dict[tuple[int, int], Device] = attrs.field(factory=dict[tuple[int, int], "Device"])
    # Chips of the board that occupy an address and cannot be named: address -> type.
    built_in: Mapping[tuple[int, int], str] = attrs.field(factory=dict[tuple[int, int], str])

    def occupant(self, address: tuple[int, int]) -> str | None:
        """QEMU's description of what sits at an address, ``None`` when it is free."""
        if address in self.built_in:
            return f"{self.built_in[address]},id=(null)"
        device = self.devices.get(address)
        return None if device is None else f"{device.kind.name},id={device.id or '(null)'}"


@attrs.define(eq=False, kw_only=True)
class Device:
    """One device of the machine, from `device_add` until the guest or a reset has let it go.

    Args:
        kind: Its type.
        id: Its name, ``None`` when it was given none.
        path: Where it hangs in QEMU's object tree.
        bus: The bus it sits on.
        address: Slot and function there.
        links: Backends it uses: property -> id.
        is_multifunction: Whether more functions may share its slot.
        own_bus: The bus it carries.
        vfio: The open host device behind it.
        unplug_requested_ms: The virtual clock at the last unplug request, ``None`` without one.
        answering: Whether the guest is at work on that request.
        in_tree: False once it has left the machine, though it may not be finalized yet.
    """

    kind: DeviceType
    id: str | None
    path: str
    bus: Bus
    address: tuple[int, int]
    links: Mapping[str, str]
    is_multifunction: bool = False
    own_bus: Bus | None = None
    vfio: VfioHandle | None = None
    unplug_requested_ms: int | None = None
    answering: bool = False
    in_tree: bool = True

    @property
    def name(self) -> str:
        """What people call it."""
        return self.id or self.path


def device_type(name: str) -> DeviceType:
    """The modelled device type of that name.

    Raises:
        QmpError: QEMU has no such device.
        ModelGapError: QEMU has it, we do not.
    """
    kind = DEVICE_TYPES.get(name)
    if kind is None:
        if name in recorded.DEVICE_TYPES:
            raise ModelGapError(f"device type {name} is not modelled")
        raise QmpError(f"'{name}' is not a valid device model name")
    return kind


def check_properties(kind: DeviceType, properties: Mapping[str, Any]) -> None:
    """Check that each property exists, is modelled and has a value of its type.

    Raises:
        QmpError: As QEMU refuses it.
        ModelGapError: The property exists and its effect is not modelled.
    """
    known = recorded.DEVICE_PROPERTIES[kind.name]
    for name, value in properties.items():
        if name not in known and name != "bootindex":
            raise QmpError(f"Property '{kind.name}.{name}' not found")
        if name not in kind.modelled:
            raise ModelGapError(f"property {kind.name}.{name} is not modelled")
        if not _is_acceptable(name, value):
            raise QmpError(f"Property '{kind.owner_of(name)}.{name}' doesn't take value '{value}'")


def _is_acceptable(name: str, value: object) -> bool:
    if name == "addr":
        return parse_slot_function(value) is not None
    if name == "mac":
        return is_mac(value)
    return True


def free_slot(bus: Bus, device: str) -> tuple[int, int]:
    """The address QEMU picks when none is given: the first slot whose function 0 is free."""
    for slot in range(32):
        if bus.occupant((slot, 0)) is None:
            return slot, 0
    raise QmpError(f"PCI: no slot/function available for {device}, all in use or reserved")


def check_address(
    bus: Bus, kind: DeviceType, address: tuple[int, int], properties: Mapping[str, Any], hot: bool
) -> None:
    """Check that a PCI device can be put at ``address``, in the order in which QEMU checks.

    Raises:
        QmpError: The address is taken, or its function 0 forbids it.
    """
    slot, function = address
    occupant = bus.occupant(address)
    if occupant is not None:
        raise QmpError(
            f"PCI: slot {slot} function {function} not available for {kind.name}, "
            f"in use by {occupant}"
        )
    # Behind a root port only function 0 of slot 0 tells the guest that somebody is there.
    first = bus.devices.get((0, 0) if bus.name != "pcie.0" else (slot, 0))
    if hot and first is not None:
        raise QmpError(
            f"PCI: slot {slot} function 0 already occupied by {first.kind.name}, "
            f"new func {kind.name} cannot be exposed to guest."
        )
    _check_multifunction(bus, address, properties)


def _check_multifunction(bus: Bus, address: tuple[int, int], properties: Mapping[str, Any]) -> None:
    slot, function = address
    if properties.get("multifunction") in {True, "on"}:
        return
    first = bus.devices.get((slot, 0))
    if function and first is not None and not first.is_multifunction:
        raise QmpError(
            f"PCI: single function device can't be populated in function {slot:x}.{function:x}"
        )
    if not function:
        for other in range(1, 8):
            if bus.occupant((slot, other)) is not None:
                raise QmpError(
                    f"PCI: {slot:x}.0 indicates single function, "
                    f"but {slot:x}.{other:x} is already populated."
                )


def walk(bus: Bus) -> Iterator[Device]:
    """The devices on a bus and behind it, parents first."""
    for device in bus.devices.values():
        yield device
        if device.own_bus is not None:
            yield from walk(device.own_bus)
