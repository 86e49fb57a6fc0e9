"""Names and places for the devices of a domain, chosen as libvirt chooses them.

Addresses are chosen when a definition is made (``qemuDomainAssignAddresses``), so that a guest
finds its devices in the same slots at every start. Aliases are chosen when a life begins
(``qemuAssignDeviceAliases``); a user's own alias begins with ``ua-`` and is kept.

On q35 a device that is to be unplugged sits alone behind a ``pcie-root-port``: bus N is the slot
behind the port with index N. The ports share slots of the root bus, eight functions to a slot.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterable

import attrs

from pyvirt_trio.errors import AlreadyExistsError, DefinitionError, ErrorCode
from pyvirt_trio.models.addresses import PciAddress
from pyvirt_trio.models.devices import (
    Controller,
    Device,
    Disk,
    HostDevice,
    Interface,
    Rng,
    Serial,
)
from pyvirt_trio.models.domain import DomainDefinition

FIRST_PORT_SLOT = 2
"""Root ports start at slot 2 of the root bus: q35 keeps 0 for the host bridge, and libvirt leaves 1
for a primary graphics card."""

LAST_PORT_SLOT = 0x1E
"""q35 keeps slot 0x1f of the root bus for its LPC bridge, SATA and SMBus."""

SPARE_PORTS = 1
"""Empty root ports added to a definition that names none, so that one device can be plugged later
without planning for it."""

QEMU_MAC_PREFIX = "52:54:00"
"""The address range that QEMU and libvirt use for guests."""

_BEHIND_A_PORT = (Disk, Interface, Rng, HostDevice)

_ALIAS_PREFIX: dict[type[Device], str] = {
    Disk: "virtio-disk",
    Interface: "net",
    Rng: "rng",
    Serial: "serial",
    HostDevice: "hostdev",
}


def place_devices(
    definition: DomainDefinition, fresh_uuid: Callable[[], uuid.UUID]
) -> DomainDefinition:
    """``definition`` with a place for every device, a MAC for every card, and ports enough.

    Controllers come first, the other devices keep their order.

    Raises:
        DefinitionError: Two devices claim one place, or a place does not exist.
    """
    others = [device for device in definition.devices if not isinstance(device, Controller)]
    named = [device for device in definition.devices if isinstance(device, Controller)]
    controllers = _with_root_and_ports(named, others)
    taken: list[Device] = [*controllers, *(device for device in others if device.address)]
    _require_distinct_places(taken)
    placed: list[Device] = []
    for device in others:
        chosen = complete_device(device, taken, fresh_uuid)
        if device.address is None:
            taken.append(chosen)
        placed.append(chosen)
    return attrs.evolve(definition, devices=(*controllers, *placed))


def complete_device(
    device: Device, present: Iterable[Device], fresh_uuid: Callable[[], uuid.UUID]
) -> Device:
    """``device`` with an address and a MAC, choosing the first empty port when it has none.

    Raises:
        DefinitionError: No port is empty, or the bus it names does not exist.
    """
    if isinstance(device, Interface) and device.mac is None:
        tail = fresh_uuid().bytes[-3:].hex(":")
        device = attrs.evolve(device, mac=f"{QEMU_MAC_PREFIX}:{tail}")
    if not isinstance(device, _BEHIND_A_PORT):
        return device
    ports = {c.index for c in present if isinstance(c, Controller) and c.index > 0}
    if device.address is not None:
        if device.address.bus not in ports:
            raise DefinitionError(
                f"no PCI controller with index {device.address.bus} for {device.address}"
            )
        return device
    full = {other.address.bus for other in present if other.address is not None}
    free = sorted(ports - full)
    if not free:
        raise DefinitionError("No more available PCI slots", code=ErrorCode.INTERNAL_ERROR)
    return attrs.evolve(device, address=PciAddress(0, free[0], 0, 0))


def name_devices(definition: DomainDefinition) -> DomainDefinition:
    """``definition`` with an alias for every device, as it is written when a life begins.

    Raises:
        AlreadyExistsError: Two devices carry the same user alias.
    """
    named: list[Device] = []
    for device in definition.devices:
        named.append(name_device(device, named))
    return attrs.evolve(definition, devices=tuple(named))


def name_device(device: Device, present: Iterable[Device]) -> Device:
    """``device`` with an alias that no device in ``present`` carries.

    Raises:
        AlreadyExistsError: Its own alias is taken.
    """
    aliases = {other.alias for other in present}
    if device.alias is not None:
        if device.alias in aliases:
            raise AlreadyExistsError(
                f"non unique alias detected: {device.alias}", code=ErrorCode.CONFIG_UNSUPPORTED
            )
        return device
    if isinstance(device, Controller):
        return attrs.evolve(device, alias=f"pci.{device.index}" if device.index else "pcie.0")
    prefix = _ALIAS_PREFIX[type(device)]
    alias = next(f"{prefix}{n}" for n in itertools.count() if f"{prefix}{n}" not in aliases)
    return attrs.evolve(device, alias=alias)


def _with_root_and_ports(named: list[Controller], others: list[Device]) -> list[Controller]:
    """The controllers of a definition, with what it needs and does not name."""
    ports = [controller for controller in named if controller.model == "pcie-root-port"]
    wanted = sum(isinstance(device, _BEHIND_A_PORT) for device in others)
    if not ports:
        wanted += SPARE_PORTS
    indexes = {port.index for port in ports}
    if len(indexes) != len(ports) or 0 in indexes:
        raise DefinitionError("every pcie-root-port needs an index of its own, 1 or more")
    for index in itertools.count(1):
        if len(ports) >= wanted:
            break
        if index not in indexes:
            ports.append(Controller(model="pcie-root-port", index=index))
    return [Controller(model="pcie-root", index=0), *_with_port_places(ports)]


def _with_port_places(ports: list[Controller]) -> list[Controller]:
    taken = {port.address for port in ports}
    slots = itertools.product(range(FIRST_PORT_SLOT, LAST_PORT_SLOT + 1), range(8))
    free = (
        place
        for slot, function in slots
        if (place := PciAddress(0, 0, slot, function)) not in taken
    )
    try:
        return [
            port if port.address is not None else attrs.evolve(port, address=next(free))
            for port in ports
        ]
    except StopIteration:
        raise DefinitionError(
            "No more available PCI slots", code=ErrorCode.INTERNAL_ERROR
        ) from None


def _require_distinct_places(devices: list[Device]) -> None:
    owners: dict[PciAddress, Device] = {}
    for device in devices:
        if device.address is None:
            continue
        if device.address in owners:
            raise DefinitionError(f"Attempted double use of PCI Address {device.address}")
        owners[device.address] = device
