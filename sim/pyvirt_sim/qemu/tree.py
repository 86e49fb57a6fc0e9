"""The devices inside QEMU: what is plugged in, and what happens at an unplug.

Unplugging follows QEMU 7.2:

1. A bus that QEMU serves itself (USB, SCSI, virtio-serial) lets its devices go at once. Where ACPI
   serves it, `request_unplug` marks the device and tells the guest. A second request is an error
   only while the virtual clock has never run: QEMU lets requests that a booting guest has lost be
   repeated. A port that handles hotplug itself is told of in `pyvirt_sim.qemu.native_hotplug`.
2. When the guest lets go (`eject`), or at a reset, the device leaves the object tree with all that
   hangs on it: first everything is switched off from the leaves on, then taken out. Ids and
   addresses are free again. Nothing has been announced yet.
3. After a grace period (RCU) it is finalized: what it held is given back, then DEVICE_DELETED goes
   out, children before parents, the inner device of a virtio device by path only. That order is
   what lets a manager re-attach a host device on the event. A `device_add` that fails waits for
   that grace period before it answers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import attrs
import trio

from pyvirt_sim.engine import note
from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu import boards, models, native_hotplug, options, pci, scsi
from pyvirt_sim.qemu import recorded_devices as recorded
from pyvirt_sim.qemu.block import Blocks
from pyvirt_sim.qemu.boards import Board
from pyvirt_sim.qemu.buses import Bus, Hotplug, find_by_path, find_by_type
from pyvirt_sim.qemu.chardevs import Chardevs
from pyvirt_sim.qemu.cpus import Cpus
from pyvirt_sim.qemu.devices import Device, check_modelled, resolve_type, walk
from pyvirt_sim.qemu.drives import Drives
from pyvirt_sim.qemu.errors import QmpError, bad_identifier, device_not_found, missing
from pyvirt_sim.qemu.exports import Exports
from pyvirt_sim.qemu.jobs import Jobs
from pyvirt_sim.qemu.memory_devices import MemoryDevices
from pyvirt_sim.qemu.netdev_streams import STREAM_OPENS_S, NetdevStreams
from pyvirt_sim.qemu.netdevs import Netdevs
from pyvirt_sim.qemu.objects import Objects
from pyvirt_sim.qemu.order import GlibTable
from pyvirt_sim.qemu.text import is_identifier
from pyvirt_sim.qemu.world import World


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
        show_guest: Tells it of a device it must see to: in a slot of native hotplug, or memory, or
            a processor.
        board: What it is built on.
        memory: Its memory modules.
        cpus: Its processors.
    """

    name: str
    pid: int
    world: World
    emit: Callable[[str, Mapping[str, Any] | None], None]
    spawn: Callable[..., object]
    virtual_clock_ms: Callable[[], int]
    ask_guest: Callable[[Device], None]
    show_guest: Callable[[Device], None]
    board: Board = boards.BOARDS["q35"]
    memory: MemoryDevices
    cpus: Cpus
    is_built: bool = False
    objects: Objects = attrs.field(init=False)
    netdevs: Netdevs = attrs.field(init=False)
    chardevs: Chardevs = attrs.field(init=False)
    blocks: Blocks = attrs.field(init=False)
    drives: Drives = attrs.field(init=False)
    jobs: Jobs = attrs.field(init=False)
    exports: Exports = attrs.field(init=False)
    # By id, and by path for those without one.
    devices: dict[str, Device] = attrs.field(factory=dict[str, Device])
    # The names below /machine/peripheral, in the order in which QEMU walks them.
    peripheral: GlibTable = attrs.field(factory=GlibTable)
    # Out of the tree, not finalized yet; in order.
    dying: list[Device] = attrs.field(factory=list[Device])
    balloon: Device | None = None
    # How much of its memory the guest is to give up, and has given up.
    balloon_target_bytes: int = 0
    balloon_bytes: int = 0
    # Where sound goes: name -> driver.
    audiodevs: dict[str, str] = attrs.field(factory=dict[str, str])
    # Listing all types makes QEMU load the modules it is installed with.
    has_all_modules: bool = False
    system_bus: Bus = attrs.field(init=False)
    root: Bus = attrs.field(init=False)
    _count: int = 0
    _anonymous: int = 0
    _bus_numbers: dict[str, int] = attrs.field(factory=dict[str, int])

    def __attrs_post_init__(self) -> None:
        self.objects = Objects(self.world)
        if not self.memory.nodes and self.memory.whole is None:
            self.objects.add_ram(self.memory.base_bytes)
        self.chardevs = Chardevs(self.world)
        streams = NetdevStreams(
            self.emit, partial(self._later, "connect", STREAM_OPENS_S), self.world
        )
        self.netdevs = Netdevs(self.chardevs, streams)
        self.blocks = Blocks(self.world)
        self.drives = Drives(self.blocks, self.emit, self.find)
        later = partial(self._later, "block-job")
        self.jobs = Jobs(self.blocks, self.drives, self.emit, later)
        self.exports = Exports(self)
        self.system_bus, self.root = boards.build(self, self.board)

    def finish_building(self) -> None:
        """The command line has been carried out: from now on devices come and go."""
        pci.number_ejections(self.root)
        native_hotplug.reset(self)
        self.is_built = True

    def _later(self, site: str, least_s: float, action: Callable[[], None]) -> None:
        """Do something once the reply of the present command is on its way, or a bit later."""

        async def run() -> None:
            if least_s:
                await trio.sleep(least_s)
            await self.world.pause(site)
            action()

        self.spawn(run, name=f"qemu/{self.name}/{site}")

    def all(self) -> Iterator[Device]:
        """Every device that hangs on a bus, parents first."""
        return walk(self.system_bus)

    # -- making -------------------------------------------------------------------------------

    def create(self, driver: str, name: str | None, path: str, bus: Bus | None) -> Device:
        """A device that is on no bus and does nothing yet."""
        self._count += 1
        return Device(
            number=self._count,
            driver=driver,
            id=name,
            path=path,
            bus=bus,
            is_hotplugged=self.is_built,
        )

    def child_bus_name(self, device: Device, kind: str) -> str:
        """The name QEMU gives to a bus that was given none."""
        if device.id:
            return f"{device.id}.{sum(bus.kind != 'virtio-pci-bus' for bus in device.buses)}"
        return self.automatic_bus_name(kind)

    def automatic_bus_name(self, kind: str) -> str:
        """The next name of a bus on a device without an id."""
        number = self._bus_numbers.get(kind, 0)
        self._bus_numbers[kind] = number + 1
        return f"{kind.lower()}.{number}"

    def device_add(self, arguments: Mapping[str, Any]) -> None:
        """QMP ``device_add``, and ``-device`` while the machine is being built.

        Raises:
            QmpError: As QEMU refuses it, in QEMU's order of checks.
        """
        if self.cpus.has_lost_one:
            raise ModelGapError("QEMU 7.2 crashes here: under TCG a processor was unplugged before")
        name: Any = arguments.get("id")
        if not isinstance(name, str):
            name = None
        elif not is_identifier(name):
            raise bad_identifier()
        given = options.as_options({key: value for key, value in arguments.items() if key != "id"})
        try:
            self._add(name, given)
        except QmpError:
            self.flush()
            raise

    def _add(self, name: str | None, given: dict[str, str]) -> None:
        if "driver" not in given:
            raise missing("driver")
        driver = resolve_type(given.pop("driver"), is_built=self.is_built)
        bus = self._bus_for(driver, given.pop("bus", None))
        if self.is_built and bus is not None and bus.hotplug is Hotplug.NONE:
            raise QmpError(f"Bus '{bus.name}' does not support hotplugging")
        check_modelled(driver)
        if bus is None and not self.is_built:
            raise ModelGapError(f"a {driver} on the command line is not modelled")
        if name is not None and name in self.devices:
            raise QmpError(f"Duplicate device ID '{name}'")
        path = f"/machine/peripheral/{name}"
        if not name:
            # Never given out twice, not even after a refusal.
            path = f"/machine/peripheral-anon/device[{self._anonymous}]"
            self._anonymous += 1
        device = self.create(driver, name, path, bus)
        self.devices[name or path] = device
        if name:
            self.peripheral.add(name)
        self._bring_up(device, bus, given)
        if self.is_built:
            note(f"qemu/{self.name}", "device added", device=device.name)
            native_hotplug.plugged(self, device)
            if bus is None or driver == "virtio-mem-pci":
                self.show_guest(device)

    def plug_unnamed(self, driver: str, bus: Bus) -> None:
        """Plug in a device that QEMU itself finds it needs."""
        path = self._free_path(
            "unattached", boards.first_free_index(self.board.name) + self.cpus.topology.present - 1
        )
        device = self.create(driver, None, path, bus)
        self.devices[path] = device
        self._bring_up(device, bus, {})

    def _free_path(self, container: str, first: int) -> str:
        number = first
        while f"/machine/{container}/device[{number}]" in self.devices:
            number += 1
        return f"/machine/{container}/device[{number}]"

    def _bring_up(self, device: Device, bus: Bus | None, given: Mapping[str, str]) -> None:
        try:
            options.apply(self, device, given)
            if bus is not None:
                bus.add(device)
            self._realize(device)
        except BaseException:
            self._give_up(device)
            raise

    def _realize(self, device: Device) -> None:
        is_pci = pci.is_pci(device.driver)
        if is_pci:
            pci.prepare(self, device)
            pci.place(device)
        elif isinstance(device.bus, scsi.ScsiBus):
            scsi.place(device)
        models.realize(self, device)
        if is_pci:
            options.check_late(self, device)
            pci.plugged(device)
        device.is_realized = True

    def _give_up(self, device: Device) -> None:
        """Take back a device that could not be realized."""
        self._unrealize(device)
        self._take_out(device)

    def _bus_for(self, driver: str, path: str | None) -> Bus | None:
        kind = recorded.BUSES.get(driver)
        if path is not None:
            bus = find_by_path(self.system_bus, path)
            if kind is None or not recorded.is_a(bus.kind, kind):
                raise QmpError(f"Device '{driver}' can't go on {bus.kind} bus")
            return bus
        if kind is None:
            return None
        found = find_by_type(self.system_bus, kind)
        if found is None or found.is_full:
            raise QmpError(f"No '{kind}' bus found for device '{driver}'")
        return found

    # -- unplugging ---------------------------------------------------------------------------

    def device_del(self, name: str) -> None:
        """QMP ``device_del``: ask for a device by id or path; it goes now, later, or never."""
        device = self._find(name)
        if self._is_pending(device):
            raise QmpError(f"Device {name} is already in the process of unplug")
        bus = device.bus
        if bus is None:
            self._remove_busless(device)
            return
        if bus.hotplug is Hotplug.NONE:
            raise QmpError(f"Bus '{bus.name}' does not support hotplugging")
        if device.driver in recorded.REFUSALS:
            raise QmpError(f"Device '{device.driver}' does not support hotplugging")
        if device.driver in ("virtio-mem-pci", "virtio-pmem-pci"):
            raise QmpError("virtio based memory devices cannot be unplugged.")
        if bus.hotplug in (Hotplug.ACPI, Hotplug.NATIVE):
            self.request_unplug(device)
            return
        if bus.hotplug is Hotplug.SHPC and (self.virtual_clock_ms() or not device.is_hotplugged):
            raise ModelGapError("unplugging behind a hotplugged bridge is modelled only under -S")
        for one in [device] if bus.hotplug is Hotplug.AT_ONCE else pci.slot_mates(device):
            self.unparent(one)

    def _remove_busless(self, device: Device) -> None:
        """Ask for a memory module, which may be asked for again and again, or a processor."""
        if device.driver == "pc-dimm":
            self.ask_guest(device)
            return
        if device.driver == "nvdimm":
            raise QmpError("nvdimm device hot unplug is not supported yet.")
        if self.cpus.is_modern and self.cpus.is_processor(device.path):
            self.ask_guest(device)
            return
        if self.virtual_clock_ms():
            raise ModelGapError("unplugging processors is modelled under -S, and under Linux")
        raise QmpError(
            f"acpi: device unplug request for not supported device type: {device.driver}"
        )

    def find(self, name: str) -> Device | None:
        """The device of that id, or at that path, relative to ``/machine/peripheral`` or not."""
        path = _peripheral_path(name)
        for device in (*self.devices.values(), *self.all()):
            if path == device.path:
                return device
        return None

    def _find(self, name: str) -> Device:
        device = self.find(name)
        if device is not None:
            return device
        path = _peripheral_path(name)
        if self.cpus.is_boot_processor(path):
            raise QmpError("Boot CPU is unpluggable")
        if self.cpus.is_processor(path):
            raise ModelGapError("unplugging further processors of the start is not modelled")
        buses = {bus.path for device in self.all() for bus in device.buses}
        if path in buses or path == "/machine/peripheral":
            raise QmpError(f"{name} is not a hotpluggable device")
        raise device_not_found(name)

    def _is_pending(self, device: Device) -> bool:
        until = device.unplug_until_ms
        return until is not None and (until == 0 or until > self.virtual_clock_ms())

    def request_unplug(self, device: Device) -> None:
        """Mark the device and tell the guest.

        Raises:
            QmpError: Its port does not want to now.
        """
        if device.bus is not None and device.bus.hotplug is Hotplug.NATIVE:
            native_hotplug.request_unplug(self, device)
            return
        # ACPI gives no time, and QEMU takes the start of its clock for no end.
        device.unplug_until_ms = self.virtual_clock_ms()
        note(f"qemu/{self.name}", "unplug requested", device=device.name)
        self.ask_guest(device)

    def host_wants(self, device: Device) -> None:
        """The host's driver core waits for a device of ours: QEMU asks the guest for it."""
        if device.in_tree:
            note(f"qemu/{self.name}", "host requests its device back", device=device.name)
            with contextlib.suppress(QmpError):  # QEMU prints a warning
                self.request_unplug(device)

    def refuse_unplug(self, device: Device) -> None:
        """The guest keeps the device. Event DEVICE_UNPLUG_GUEST_ERROR."""
        device.unplug_until_ms = None
        data = {"path": device.path} | ({"device": device.id} if device.id else {})
        self.emit("DEVICE_UNPLUG_GUEST_ERROR", data)

    def eject(self, device: Device) -> None:
        """The guest, or a reset, has let a slot go: all its functions leave, finalized later."""
        if not device.in_tree:
            return
        if device.bus is None:
            self.unparent(device)
            if device in self.dying:  # nothing else refers to it: it is finalized at once
                self.dying.remove(device)
                self._finalize(device)
            return
        for one in pci.slot_mates(device):
            if pci.may_be_ejected(one):
                self.unparent(one)

    def reset(self) -> None:
        """The board is reset: ACPI carries out every pending unplug, bus by bus, slot by slot."""
        pending = [one for one in self.all() if one.unplug_until_ms is not None]
        pending = [one for one in pending if one.bus and one.bus.ejection_order is not None]
        for device in sorted(pending, key=_ejection_key):
            self.eject(device)
        self.cpus.is_modern = False
        for device in self.memory.virtio():
            self.set_virtio_size(device, 0)
        native_hotplug.reset(self)

    def set_virtio_size(self, device: Device, size: int) -> None:
        """The guest uses so much of a virtio-mem device. Event MEMORY_DEVICE_SIZE_CHANGE."""
        if device.values["size"] == size:
            return
        device.values["size"] = size
        name = {"id": device.id} if device.id else {}
        data = {"size": size, "qom-path": device.path, **name}
        self.emit("MEMORY_DEVICE_SIZE_CHANGE", data)

    def unparent(self, device: Device) -> None:
        """Take a device and all that hangs on it out of the machine."""
        if not device.in_tree:
            return
        note(f"qemu/{self.name}", "device ejected", device=device.name)
        self._unrealize(device)
        self._take_out(device)

    def _unrealize(self, device: Device) -> None:
        for bus in device.buses:
            for child in list(bus.children):
                self._unrealize(child)
        while device.on_unrealize:
            device.on_unrealize.pop()()

    def _take_out(self, device: Device) -> None:
        for bus in list(device.buses):
            for child in list(bus.children):
                self._take_out(child)
        if not device.in_tree:
            return
        device.in_tree = False
        device.unplug_until_ms = None
        if self.devices.get(device.id or device.path) is device:
            del self.devices[device.id or device.path]
            if device.id:
                self.peripheral.remove(device.id)
        if device.bus is not None and device in device.bus.children:
            device.bus.remove(device)
        if device.is_leaked and device.is_realized:
            return
        self.dying.append(device)
        if len(self.dying) == 1:
            self.spawn(self._finalize_all, name=f"qemu/{self.name}/rcu")

    async def _finalize_all(self) -> None:
        while self.dying:
            await self.world.pause("rcu")
            if self.dying:
                self._finalize(self.dying.pop(0))

    def flush(self) -> None:
        """Finalize now whatever is out of the tree."""
        while self.dying:
            self._finalize(self.dying.pop(0))

    def _finalize(self, device: Device) -> None:
        while device.on_finalize:
            device.on_finalize.pop()()
        if device.is_realized and self.cpus.is_processor_type(device.driver):
            # QEMU 7.2 leaks a processor under TCG: only its interrupt controller ends.
            self.emit("DEVICE_DELETED", {"path": f"{device.path}/lapic"})
        elif device.is_realized:
            data = {"path": device.path} | ({"device": device.id} if device.id else {})
            self.emit("DEVICE_DELETED", data)

    # -- queries and the end ------------------------------------------------------------------

    def close_host_devices(self) -> None:
        """What the kernel does when the process ends: every host device is closed."""
        for device in [*self.devices.values(), *self.dying]:
            if device.vfio is not None:
                device.vfio.close()

    def has_boot_source(self, kernel: str | None) -> bool:
        """Whether the firmware finds an operating system: a kernel, or a disk taken to hold one."""
        disks = (one for one in self.devices.values() if one.driver == "virtio-blk-pci")
        return kernel is not None or next(disks, None) is not None


def _ejection_key(device: Device) -> tuple[int, int]:
    order = device.bus.ejection_order if device.bus is not None else None
    return (order or 0, int(device.address[0]))


def _peripheral_path(name: str) -> str:
    return name if name.startswith("/") else f"/machine/peripheral/{name}".rstrip("/")
