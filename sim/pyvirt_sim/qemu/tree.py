"""The devices inside QEMU: buses, what is plugged into them, and what happens at an unplug.

Unplugging follows QEMU 7.2 on q35, where hotplug goes through ACPI:

1. `request_unplug` marks the device and tells the guest. A second request is an error only while
   the virtual clock has never run: QEMU lets requests that a booting guest has lost be repeated.
2. When the guest lets go (`eject`), or at a reset, the device leaves the object tree, its id, its
   slot and its back ends. Nothing has been announced yet.
3. After a grace period (RCU) it is finalized: a host device is closed first, then DEVICE_DELETED
   goes out, for the inner device by path only, then for the device itself. That order is QEMU's
   since 2.11 and is what lets a manager re-attach a host device on the event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from pyvirt_sim.engine import note
from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu.backends import LINKS, Backends
from pyvirt_sim.qemu.devices import (
    Bus,
    Device,
    DeviceType,
    check_address,
    check_properties,
    device_type,
    free_slot,
    walk,
)
from pyvirt_sim.qemu.errors import QmpError, bad_identifier, device_not_found, missing
from pyvirt_sim.qemu.text import is_identifier, parse_slot_function
from pyvirt_sim.qemu.vfio import open_host_device
from pyvirt_sim.qemu.world import World

# What the q35 board itself puts on pcie.0 and calls by no id.
_Q35_CHIPS = {(0, 0): "mch", (31, 0): "ICH9-LPC", (31, 2): "ich9-ahci", (31, 3): "ICH9 SMB"}


@attrs.define(eq=False, kw_only=True)
class DeviceTree:
    """The devices of one machine.

    Args:
        name: The guest's name, for notes.
        pid: Process that holds host devices.
        world: The host.
        emit: Sends one event.
        spawn: Starts a background task in the process.
        virtual_clock_ms: How long the processors have run.
        ask_guest: Asks the operating system inside for a device.
    """

    name: str
    pid: int
    world: World
    emit: Callable[[str, Mapping[str, Any] | None], None]
    spawn: Callable[..., object]
    virtual_clock_ms: Callable[[], int]
    ask_guest: Callable[[Device], None]
    is_built: bool = False
    backends: Backends = attrs.field(init=False)
    devices: dict[str, Device] = attrs.field(factory=dict[str, Device])
    # Let go by the guest, not finalized yet; in order.
    dying: list[Device] = attrs.field(factory=list[Device])
    _anonymous: int = 0
    root: Bus = attrs.field(init=False)
    _isa: Bus = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.backends = Backends(self.world.file_exists)
        self.root = Bus("pcie.0", "PCI", hotpluggable=False, built_in=_Q35_CHIPS)
        self._isa = Bus("isa.0", "ISA", hotpluggable=False)

    # -- plugging -----------------------------------------------------------------------------

    def device_add(self, arguments: Mapping[str, Any]) -> None:
        """QMP ``device_add``, and ``-device`` while the machine is being built.

        Raises:
            QmpError: As QEMU refuses it, in QEMU's order of checks.
        """
        properties = dict(arguments)
        name = properties.pop("id", None)
        if name is not None and not is_identifier(name):
            raise bad_identifier()
        driver = properties.pop("driver", None)
        if driver is None:
            raise missing("driver")
        kind = device_type(str(driver))
        bus = self._bus_for(kind, properties.pop("bus", None))
        if name is not None and name in self.devices:
            raise QmpError(f"Duplicate device ID '{name}'")
        check_properties(kind, properties)
        links = self._links(kind, properties)
        address = self._address(kind, bus, properties)
        self._plug(kind, name, bus, address, links, properties)

    def _bus_for(self, kind: DeviceType, name: object) -> Bus:
        buses = {bus.name: bus for bus in (self.root, self._isa)}
        buses |= {d.id: d.own_bus for d in self.devices.values() if d.id and d.own_bus}
        if name is None:
            bus = self.root if kind.bus == "PCI" else self._isa
        elif name in buses:
            bus = buses[str(name)]
        else:
            raise QmpError(f"Bus '{name}' not found")
        if bus.kind != kind.bus:
            raise QmpError(f"Device '{kind.name}' can't go on {_bus_type(bus)} bus")
        if self.is_built and not bus.hotpluggable:
            raise QmpError(f"Bus '{bus.name}' does not support hotplugging")
        if self.is_built and kind.provides_bus:
            raise ModelGapError("hotplug of a bridge is not modelled")
        return bus

    def _links(self, kind: DeviceType, properties: Mapping[str, Any]) -> dict[str, str]:
        links = {prop: str(properties[prop]) for prop in LINKS if prop in properties}
        for prop, target in links.items():
            self.backends.check_link(prop, target, kind.owner_of(prop))
        return links

    def _address(
        self, kind: DeviceType, bus: Bus, properties: Mapping[str, Any]
    ) -> tuple[int, int]:
        if bus.kind == "ISA":
            return len(bus.devices), 0
        address = parse_slot_function(properties["addr"]) if "addr" in properties else None
        if address is None:
            return free_slot(bus, kind.name)
        check_address(bus, kind, address, properties, hot=self.is_built)
        return address

    def _plug(
        self,
        kind: DeviceType,
        name: str | None,
        bus: Bus,
        address: tuple[int, int],
        links: dict[str, str],
        properties: Mapping[str, Any],
    ) -> None:
        if kind.name == "virtio-blk-pci" and "drive" not in links:
            raise QmpError("drive property not set")
        if kind.name == "isa-serial" and "chardev" not in links:
            raise QmpError("Can't create serial device, empty char device")
        device = Device(
            kind=kind,
            id=name,
            path=f"/machine/peripheral/{name}" if name else self._anonymous_path(),
            bus=bus,
            address=address,
            links=links,
            is_multifunction=properties.get("multifunction") in {True, "on"},
        )
        if kind.name == "vfio-pci":
            device.vfio = open_host_device(
                self.world, properties, self.pid, lambda: self._host_wants(device)
            )
        if kind.provides_bus:
            device.own_bus = Bus(name or f"pci.{len(self.devices)}", "PCI", hotpluggable=True)
        bus.devices[address] = device
        self.devices[name or device.path] = device
        self.backends.use(links, device.path)
        if self.is_built:
            note(f"qemu/{self.name}", "device added", device=device.name)

    def _anonymous_path(self) -> str:
        self._anonymous += 1
        return f"/machine/peripheral-anon/device[{self._anonymous - 1}]"

    # -- unplugging ---------------------------------------------------------------------------

    def device_del(self, name: str) -> None:
        """QMP ``device_del``: ask for a device by id or path; it goes later, or never."""
        device = self._find(name)
        if self._is_pending(device):
            raise QmpError(f"Device {name} is already in the process of unplug")
        if not device.bus.hotpluggable:
            raise QmpError(f"Bus '{device.bus.name}' does not support hotplugging")
        self.request_unplug(device)

    def _find(self, name: str) -> Device:
        for device in self.devices.values():
            if name == device.id or (name.startswith("/") and name == device.path):
                return device
        raise device_not_found(name)

    def _is_pending(self, device: Device) -> bool:
        requested = device.unplug_requested_ms
        return requested is not None and (requested == 0 or requested > self.virtual_clock_ms())

    def request_unplug(self, device: Device) -> None:
        """Mark the device and tell the guest."""
        device.unplug_requested_ms = self.virtual_clock_ms()
        note(f"qemu/{self.name}", "unplug requested", device=device.name)
        self.ask_guest(device)

    def _host_wants(self, device: Device) -> None:
        """The host's driver core waits for a device of ours: QEMU asks the guest for it."""
        if device.in_tree:
            note(f"qemu/{self.name}", "host requests its device back", device=device.name)
            self.request_unplug(device)

    def refuse_unplug(self, device: Device) -> None:
        """The guest keeps the device. Event DEVICE_UNPLUG_GUEST_ERROR."""
        device.unplug_requested_ms = None
        data = {"path": device.path} | ({"device": device.id} if device.id else {})
        self.emit("DEVICE_UNPLUG_GUEST_ERROR", data)

    def eject(self, device: Device) -> None:
        """The guest, or a reset, has let the device go: it leaves the tree, finalized later."""
        if not device.in_tree:
            return
        device.in_tree = False
        device.unplug_requested_ms = None
        del self.devices[device.id or device.path]
        del device.bus.devices[device.address]
        self.backends.release(device.path)
        note(f"qemu/{self.name}", "device ejected", device=device.name)
        self.dying.append(device)
        if len(self.dying) == 1:
            self.spawn(self._finalize_all, name=f"qemu/{self.name}/rcu")

    async def _finalize_all(self) -> None:
        while self.dying:
            await self.world.pause("rcu")
            device = self.dying[0]
            if device.vfio is not None:
                device.vfio.close()
            if device.kind.child is not None:
                self.emit("DEVICE_DELETED", {"path": f"{device.path}/{device.kind.child}"})
            data = {"path": device.path} | ({"device": device.id} if device.id else {})
            self.emit("DEVICE_DELETED", data)
            self.dying.pop(0)

    def reset(self) -> None:
        """The board is reset: every pending unplug is carried out."""
        # QEMU numbers hotpluggable buses from the last created to the first, and ejects in order.
        for port in reversed(list(self.root.devices.values())):
            for device in list(port.own_bus.devices.values()) if port.own_bus else ():
                if device.unplug_requested_ms is not None:
                    self.eject(device)

    # -- queries and the end ------------------------------------------------------------------

    def close_host_devices(self) -> None:
        """What the kernel does when the process ends: every host device is closed."""
        for device in [*self.devices.values(), *self.dying]:
            if device.vfio is not None:
                device.vfio.close()

    def peripherals(self) -> list[dict[str, str]]:
        """QMP ``qom-list`` of ``/machine/peripheral``; QEMU's order is that of a hash table."""
        children = [
            {"name": device.id, "type": f"child<{device.kind.name}>"}
            for device in self.devices.values()
            if device.id
        ]
        return [{"name": "type", "type": "string"}, *children]

    def has_boot_source(self, kernel: str | None) -> bool:
        """Whether the firmware finds an operating system: a kernel, or a disk taken to hold one."""
        disks = (d for d in walk(self.root) if d.kind.name == "virtio-blk-pci")
        return kernel is not None or next(disks, None) is not None


def _bus_type(bus: Bus) -> str:
    return "ISA" if bus.kind == "ISA" else "PCIE"
