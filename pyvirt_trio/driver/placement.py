"""Names and places for the devices of a domain, chosen as libvirt chooses them.

Addresses are chosen when a definition is made (``qemuDomainAssignAddresses``), so that a guest
finds its devices in the same slots at every start. Aliases are chosen when a life begins
(``qemuAssignDeviceAliases``); a user's own alias begins with ``ua-`` and is kept.

On q35 a PCI device that is to be unplugged sits alone behind a ``pcie-root-port``: bus N is the
slot behind the port with index N. The ports share slots of the root bus, eight functions to a slot.
Disks on a SCSI bus sit where their name puts them, and what is on USB takes the first free port.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterable, Sequence

import attrs

from pyvirt_trio.driver.display import completed, preferred_place
from pyvirt_trio.driver.memory_rules import require_memory_fits
from pyvirt_trio.driver.sharing import require_shared_memory
from pyvirt_trio.driver.vcpu_choice import require_orders
from pyvirt_trio.errors import AlreadyExistsError, DefinitionError, ErrorCode
from pyvirt_trio.models.addresses import (
    DimmAddress,
    DriveAddress,
    GuestAddress,
    PciAddress,
    SataAddress,
    UsbAddress,
    VirtioSerialAddress,
)
from pyvirt_trio.models.devices import (
    Channel,
    Console,
    Controller,
    Device,
    Disk,
    GuestForward,
    HostDevice,
    Input,
    Interface,
    Parallel,
    RedirectedUsb,
    Rng,
    Serial,
    SharedMemory,
    Watchdog,
)
from pyvirt_trio.models.display import Graphics, Sound, Video
from pyvirt_trio.models.domain import DomainDefinition
from pyvirt_trio.models.host_devices import (
    HostInterface,
    HostMediated,
    HostScsi,
    HostScsiTarget,
    HostUsb,
)
from pyvirt_trio.models.memory import Dimm, Nvdimm, VirtioMemory, VirtioPmem
from pyvirt_trio.models.sharing import Filesystem, Lease, Vsock
from pyvirt_trio.models.vcpus import numbered
from pyvirt_trio.xml.device_types.sharing import MAX_CID, MIN_CID
from pyvirt_trio.xml.devices import address_kind
from pyvirt_trio.xml.values import DISK_NAME, MAX_MEMORY_SLOTS, MAX_SERIAL_PORT, SATA_PORTS

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

USB_PORTS = 4
"""Ports of a ``qemu-xhci`` controller, USB 2 and USB 3 alike, unless told otherwise."""

DISKS_PER_SCSI_CONTROLLER = 15
"""libvirt puts that many named disks on one wide SCSI bus: units 0 to 15 without 7, which was the
controller's own on real hardware (``virDomainDiskDefAssignAddress``)."""

_ALIAS_PREFIX: dict[type[Device], str] = {
    Interface: "net",
    Rng: "rng",
    Serial: "serial",
    HostDevice: "hostdev",
    HostInterface: "hostdev",
    HostUsb: "hostdev",
    HostScsi: "hostdev",
    HostScsiTarget: "hostdev",
    HostMediated: "hostdev",
    Input: "input",
    Watchdog: "watchdog",
    Channel: "channel",
    Console: "console",
    Parallel: "parallel",
    Vsock: "vsock",
    Filesystem: "fs",
    Lease: "lease",
    GuestForward: "channel",
    RedirectedUsb: "redir",
    SharedMemory: "shmem",
    VirtioMemory: "virtiomem",
    VirtioPmem: "virtiopmem",
    Sound: "sound",
    Video: "video",
}

BUILT_IN_INPUTS = 2
"""q35 has a PS/2 keyboard and mouse, which have the first two aliases of inputs in libvirt."""

_MODULE_PREFIX: dict[type[Device], str] = {Dimm: "dimm", Nvdimm: "nvdimm"}
"""A module is named after its slot."""


def place_devices(
    definition: DomainDefinition, fresh_uuid: Callable[[], uuid.UUID]
) -> DomainDefinition:
    """``definition`` with a place for every device, a MAC for every card, and ports enough.

    Controllers come first, the other devices keep their order.

    Raises:
        DefinitionError: Two devices claim one place, or a place does not exist.
    """
    definition = attrs.evolve(definition, devices=tuple(completed(definition.devices)))
    others = [device for device in definition.devices if not isinstance(device, Controller)]
    named = [device for device in definition.devices if isinstance(device, Controller)]
    others = [*(c for c in named if c.kind != "pci"), *_implicit_controllers(definition), *others]
    pci = _with_root_and_ports([c for c in named if c.kind == "pci"], others)
    taken: list[Device] = [*pci, *(device for device in others if _has_chosen(device))]
    _require_distinct_places(taken)
    require_memory_fits(definition)
    for device in others:
        require_shared_memory(definition, device)
    placed: list[Device] = []
    for device in others:
        chosen = complete_device(device, taken, fresh_uuid)
        if device.address is None:
            taken.append(chosen)
        placed.append(chosen)
    return attrs.evolve(definition, devices=(*pci, *map(_with_siblings(placed), placed)))


def _with_siblings(placed: list[Device]) -> Callable[[Device], Device]:
    """Says of each function 0 that there are others, as QEMU wants it said.

    Only where nothing is said, and not of ports (``virDomainPCIAddressSetMultiIter``).
    """
    places = [device.pci_address for device in placed]
    shared = {(place.bus, place.slot) for place in places if place is not None and place.function}

    def completed_by(device: Device) -> Device:
        place = device.pci_address
        if place is None or place.function or device.is_multifunction is not None:
            return device
        is_shared = (place.bus, place.slot) in shared
        return attrs.evolve(device, is_multifunction=True) if is_shared else device

    return completed_by


def _has_chosen(device: Device) -> bool:
    """Whether ``device`` says itself where it is, so that others must keep away."""
    return device.address is not None or (isinstance(device, Serial) and device.port is not None)


def missing_controller(device: Device, present: Iterable[Device]) -> Controller | None:
    """The SCSI controller that ``device`` needs and that is not among ``present``."""
    if isinstance(device, HostScsi):
        index = device.address.controller if isinstance(device.address, DriveAddress) else 0
    elif isinstance(device, Disk) and device.bus == "scsi":
        index = _drive_address(device).controller
    else:
        return None
    if index in _indexes("scsi", present):
        return None
    return Controller(kind="scsi", model="virtio-scsi", index=index)


def _implicit_controllers(definition: DomainDefinition) -> list[Controller]:
    """What the devices of a definition need and it does not name, as libvirt adds it."""
    present, added = list(definition.devices), list[Controller]()
    for device in definition.devices:
        missing = missing_controller(device, present)
        kind = address_kind(device)
        if kind is UsbAddress and not _indexes("usb", present):
            missing = Controller(kind="usb", model="qemu-xhci", index=0)
        if kind is VirtioSerialAddress and not _indexes("virtio-serial", present):
            missing = Controller(kind="virtio-serial", model="virtio-serial", index=0)
        if missing is not None:
            present.append(missing)
            added.append(missing)
    return added


def _indexes(kind: str, present: Iterable[Device]) -> set[int]:
    return {c.index for c in present if isinstance(c, Controller) and c.kind == kind}


def complete_device(
    device: Device, present: Iterable[Device], fresh_uuid: Callable[[], uuid.UUID]
) -> Device:
    """``device`` with an address, a MAC and a number, choosing the first free one it lacks.

    Raises:
        DefinitionError: No port is empty, or the bus it names does not exist.
    """
    device = with_mac(device, fresh_uuid)
    if isinstance(device, Vsock) and device.cid is None:
        device = attrs.evolve(device, cid=_fresh_cid(fresh_uuid))
    if isinstance(device, VirtioMemory):
        device = attrs.evolve(device, current_kib=None)  # it has yet to come
    if isinstance(device, Serial) and device.port is None:
        device = attrs.evolve(device, port=_first_free_port(present))
    kind = address_kind(device)
    if kind is PciAddress:
        return _behind_a_port(device, present)
    if kind is DriveAddress:
        return _on_scsi(device, present)
    if kind is SataAddress:
        return on_sata(device)
    if kind is UsbAddress:
        return _on_usb(device, present)
    if kind is VirtioSerialAddress:
        return _on_virtio_serial(device, present)
    if kind is DimmAddress:
        return _in_slot(device, present)
    return device


def with_mac(device: Device, fresh_uuid: Callable[[], uuid.UUID]) -> Device:
    """``device`` with a MAC of QEMU's range, if it is a network card without one."""
    if not isinstance(device, Interface | HostInterface) or device.mac is not None:
        return device
    tail = fresh_uuid().bytes[-3:].hex(":")
    return attrs.evolve(device, mac=f"{QEMU_MAC_PREFIX}:{tail}")


def _fresh_cid(fresh_uuid: Callable[[], uuid.UUID]) -> int:
    """A number for a guest's vsock that is as good as unique on the host, like a MAC."""
    return MIN_CID + int.from_bytes(fresh_uuid().bytes[-4:], "big") % (MAX_CID - MIN_CID + 1)


def _first_free_port(present: Iterable[Device]) -> int:
    taken = {other.port for other in present if isinstance(other, Serial)}
    return next(port for port in itertools.count() if port not in taken)


def _behind_a_port(device: Device, present: Iterable[Device]) -> Device:
    present = list(present)
    ports = _indexes("pci", present) - {0}
    place = device.pci_address or preferred_place(device, present)
    if place is not None:
        if place.bus not in ports and not _may_be_on_root(device, place):
            highest = max(ports, default=0)
            raise DefinitionError(
                f"Invalid PCI address {place}. Only PCI buses up to {highest} are available"
            )
        return attrs.evolve(device, address=place)
    full = {other.pci_address.bus for other in present if other.pci_address is not None}
    free = sorted(ports - full)
    if not free:
        raise DefinitionError("No more available PCI slots", code=ErrorCode.INTERNAL_ERROR)
    return attrs.evolve(device, address=PciAddress(0, free[0], 0, 0))


def _may_be_on_root(device: Device, place: PciAddress) -> bool:
    """Cards for screen and sound sit on the root bus, as no port of it may."""
    is_slot = 0 < place.slot <= LAST_PORT_SLOT
    return place.bus == 0 and is_slot and isinstance(device, Sound | Video)


def _on_scsi(device: Device, present: Iterable[Device]) -> Device:
    present = list(present)
    if isinstance(device, HostScsi) and device.address is None:
        return attrs.evolve(device, address=_free_unit(present))
    place = _drive_address(device)
    if place.controller not in _indexes("scsi", present):
        raise DefinitionError(f"no SCSI controller with index {place.controller} for {place}")
    return attrs.evolve(device, address=place)


def _free_unit(present: Iterable[Device]) -> DriveAddress:
    """The first unit on a SCSI bus that no device has (``virDomainHostdevAssignAddress``)."""
    present = list(present)
    taken = {other.address for other in present}
    for controller in sorted(_indexes("scsi", present)):
        for unit in range(DISKS_PER_SCSI_CONTROLLER + 1):
            place = DriveAddress(controller=controller, unit=unit)
            if unit != 7 and place not in taken:
                return place
    raise DefinitionError("No free SCSI units", code=ErrorCode.INTERNAL_ERROR)


def _drive_address(device: Device) -> DriveAddress:
    """Where a disk is, or where its name puts it."""
    if isinstance(device.address, DriveAddress):
        return device.address
    assert isinstance(device, Disk), "only disks sit on a SCSI bus"
    controller, unit = divmod(_disk_number(device.target), DISKS_PER_SCSI_CONTROLLER)
    return DriveAddress(controller=controller, unit=unit + (unit >= 7))


def on_sata(device: Device) -> Device:
    """A disk at the port of its own, or where its name puts it.

    Raises:
        DefinitionError: The board has no such port.
    """
    assert isinstance(device, Disk), "only disks are on SATA"
    if device.address is not None:
        return device
    controller, unit = divmod(_disk_number(device.target), SATA_PORTS)
    if controller:
        raise DefinitionError(
            f"Could not find sata controller with index {controller} required for device",
            code=ErrorCode.INTERNAL_ERROR,
        )
    return attrs.evolve(device, address=SataAddress(unit=unit))


def _disk_number(target: str) -> int:
    """0 for ``sda``, 25 for ``sdz``, 26 for ``sdaa``."""
    match = DISK_NAME.fullmatch(target)
    assert match is not None, f"{target!r} has been read"
    number = 0
    for letter in match[1]:
        number = number * 26 + ord(letter) - ord("a") + 1
    return number - 1


def _on_usb(device: Device, present: Iterable[Device]) -> Device:
    present = list(present)
    places = [
        UsbAddress(bus, port)
        for bus in sorted(_indexes("usb", present))
        for port in range(1, USB_PORTS + 1)
    ]
    return _at_first_free(device, places, present, "USB")


def _on_virtio_serial(device: Device, present: Iterable[Device]) -> Device:
    present = list(present)
    places = [
        VirtioSerialAddress(controller, port)
        for controller in sorted(_indexes("virtio-serial", present))
        for port in range(1, MAX_SERIAL_PORT + 1)
    ]
    return _at_first_free(device, places, present, "virtio serial")


def _in_slot(device: Device, present: Iterable[Device]) -> Device:
    if device.address is not None:
        return device
    places = [one.address for one in present]
    taken = {place.slot for place in places if isinstance(place, DimmAddress)}
    free = next((slot for slot in range(MAX_MEMORY_SLOTS) if slot not in taken), None)
    if free is None:
        raise DefinitionError("no free memory device slot available", code=ErrorCode.INTERNAL_ERROR)
    return attrs.evolve(device, address=DimmAddress(free))


def _at_first_free(
    device: Device, places: Sequence[GuestAddress], present: Iterable[Device], bus: str
) -> Device:
    if device.address is not None:
        if device.address not in places:
            raise DefinitionError(_no_such_port(device.address, bus, present))
        return device
    taken = {other.address for other in present}
    for place in places:
        if place not in taken:
            return attrs.evolve(device, address=place)
    raise DefinitionError(f"No free {bus} ports", code=ErrorCode.INTERNAL_ERROR)


def _no_such_port(address: GuestAddress, bus: str, present: Iterable[Device]) -> str:
    indexes = _indexes("virtio-serial", present)
    if isinstance(address, VirtioSerialAddress) and address.controller not in indexes:
        return f"virtio serial controller {address.controller} is missing"
    return f"there is no {bus} port {address}"


def name_devices(definition: DomainDefinition) -> DomainDefinition:
    """``definition`` with an alias for every device, as it is written when a life begins.

    Raises:
        AlreadyExistsError: Two devices carry the same user alias.
        DefinitionError: Its processors cannot come in their order.
    """
    require_orders(definition.vcpus)
    named: list[Device] = []
    for device in definition.devices:
        named.append(name_device(device, named))
    vcpus = numbered(definition.vcpus) if definition.lists_vcpus else definition.vcpus
    return attrs.evolve(definition, devices=tuple(named), vcpus=vcpus)


def name_device(device: Device, present: Iterable[Device]) -> Device:
    """``device`` with an alias that no device in ``present`` carries.

    Raises:
        AlreadyExistsError: Its own alias is taken.
    """
    aliases = {other.alias for other in present}
    if isinstance(device, Graphics):  # QEMU knows it by no name
        return device
    if device.alias is not None:
        if device.alias in aliases:
            raise AlreadyExistsError(
                f"non unique alias detected: {device.alias}", code=ErrorCode.CONFIG_UNSUPPORTED
            )
        return device
    alias = _fixed_alias(device)
    if alias is not None:
        if alias in aliases:
            raise AlreadyExistsError(f"{alias} is taken", code=ErrorCode.CONFIG_UNSUPPORTED)
        return attrs.evolve(device, alias=alias)
    # One more than the highest, as libvirt does: a name is not given again while a later one lives.
    prefix = _ALIAS_PREFIX[type(device)]
    first = BUILT_IN_INPUTS if isinstance(device, Input) else 0
    taken = [first - 1, *(_number_of(alias, prefix) for alias in aliases)]
    return attrs.evolve(device, alias=f"{prefix}{max(taken) + 1}")


def _number_of(alias: str | None, prefix: str) -> int:
    """3 for ``rng3`` and the prefix ``rng``; -1 for a name of another kind."""
    number = (alias or "").removeprefix(prefix)
    return int(number) if alias != number and number.isdecimal() else -1


def _fixed_alias(device: Device) -> str | None:
    """The alias of what is named after its place (``qemuAssignDeviceControllerAlias``)."""
    if isinstance(device, Disk):
        has_place = device.bus in ("scsi", "sata")
        place = device.address if has_place else f"-disk{_disk_number(device.target)}"
        return f"{device.bus}{place}"
    prefix = _MODULE_PREFIX.get(type(device))
    if prefix is not None and isinstance(device.address, DimmAddress):
        return f"{prefix}{device.address.slot}"
    if not isinstance(device, Controller):
        return None
    if device.kind == "pci":
        return f"pci.{device.index}" if device.index else "pcie.0"
    if device.kind == "usb" and device.index == 0:
        return "usb"
    return f"{device.kind}{device.index}"


def _with_root_and_ports(named: list[Controller], others: list[Device]) -> list[Controller]:
    """The controllers of a definition, with what it needs and does not name."""
    ports = [controller for controller in named if controller.model == "pcie-root-port"]
    behind = (device for device in others if preferred_place(device, ()) is None)
    wanted = sum(address_kind(device) is PciAddress for device in behind)
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
    return [Controller(model="pcie-root", index=0), *_with_port_places(ports, others)]


def _with_port_places(ports: list[Controller], others: list[Device]) -> list[Controller]:
    taken = {port.pci_address for port in ports}
    kept = {preferred_place(device, ()) or device.pci_address for device in others}
    slots_kept = {place.slot for place in kept if place is not None and place.bus == 0}
    slots = itertools.product(range(FIRST_PORT_SLOT, LAST_PORT_SLOT + 1), range(8))
    free = (
        place
        for slot, function in slots
        if slot not in slots_kept and (place := PciAddress(0, 0, slot, function)) not in taken
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
    taken: set[PciAddress] = set()
    for device in devices:
        place = device.pci_address
        if place in taken:
            raise DefinitionError(f"Attempted double use of PCI Address {place}")
        if place is not None:
            taken.add(place)
