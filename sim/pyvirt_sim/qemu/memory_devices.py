"""Memory modules: slots, the address space for them, and what a monitor is told about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu import recorded_devices as recorded
from pyvirt_sim.qemu.devices import Device
from pyvirt_sim.qemu.errors import QmpError

if TYPE_CHECKING:
    from pyvirt_sim.qemu.objects import Objects, QomObject
    from pyvirt_sim.qemu.tree import DeviceTree

# Modules lie above the memory a 32-bit guest can see.
_BASE: Final = 4 << 30
# The size of a transparent huge page, to which QEMU aligns anonymous memory.
_ALIGNMENT: Final = 2 << 20
# QEMU leaves room for each module to be aligned to a huge page of this size.
_PADDING: Final = 1 << 30


_VIRTIO: Final = ("virtio-mem-pci", "virtio-pmem-pci")


@attrs.define(eq=False)
class MemoryDevices:
    """The memory of one machine: modules in slots, and memory on the PCI bus.

    Args:
        base_bytes: The memory it is born with.
        max_bytes: How much it may have in all.
        slots: How many modules fit.
        nodes: The objects that are the memory of its nodes; none when it has no nodes of its own.
        whole: The object that is all its memory, when it was named.
        has_nvdimm: Whether the board takes persistent modules.
    """

    base_bytes: int
    max_bytes: int = 0
    slots: int = 0
    nodes: tuple[str, ...] = ()
    whole: str | None = None
    has_nvdimm: bool = False
    # Slot -> what the guest last said of it: source and status.
    reports: dict[int, tuple[int, int]] = attrs.field(factory=dict[int, tuple[int, int]])
    _modules: list[Device] = attrs.field(factory=list[Device])

    @property
    def plugged_bytes(self) -> int:
        """The memory of all modules; of virtio-mem only what the guest uses."""
        return sum(_used(module) for module in self._modules)

    def map_nodes(self, objects: Objects) -> None:
        """Make the objects of the nodes the memory the machine is born with.

        Raises:
            QmpError: They are not as large as it is to be.
        """
        if self.whole is not None:
            self._map_whole(objects, self.whole)
        items = [objects.get(name) for name in self.nodes]
        if not items:
            return
        total = 0
        for item in items:
            if item is None or item.users or not recorded.is_a(item.kind, "memory-backend"):
                raise ModelGapError(f"-numa with memory objects {self.nodes} is not modelled")
            item.users += 1
            total += int(item.value("size"))
        if total != self.base_bytes:
            raise QmpError(
                f"total memory for NUMA nodes (0x{total:x}) should equal RAM size "
                f"(0x{self.base_bytes:x})"
            )

    def _map_whole(self, objects: Objects, name: str) -> None:
        item = objects.get(name)
        if item is None or item.users or item.value("size") != self.base_bytes:
            raise ModelGapError(f"memory-backend={name} that is not there, or of another size")
        item.users += 1

    def realize(self, tree: DeviceTree, device: Device) -> None:
        """Put a module into a slot and at an address, the ones asked for or the first free.

        Raises:
            QmpError: There is no room, or it does not fit.
        """
        if device.driver == "nvdimm" and not self.has_nvdimm:
            raise QmpError("nvdimm is not enabled: missing 'nvdimm' in '-M'")
        slot = self._slot(device)
        memory = device.objects.get("memdev")
        if memory is None:
            raise QmpError("'memdev' property must be set")
        size = self._size_of(memory, device)
        address = self._address(device, size)
        node = device.value("node")
        count = len(self.nodes) or 1
        if node >= count:
            words = f"which exceeds the number of numa nodes: {count}"
            raise QmpError(f"'DIMM property node has value {node}' {words}")
        tree.objects.map(memory, device)
        device.values |= {"slot": slot, "addr": address, "size": size}
        self._modules.append(device)
        device.on_unrealize.append(lambda: self._modules.remove(device))

    def _size_of(self, memory: QomObject, device: Device) -> int:
        if memory.kind == "memory-backend-file" and device.driver == "pc-dimm":
            raise ModelGapError(f"modules backed by {memory.kind} are not modelled")
        size = int(memory.value("size"))
        if memory.kind == "memory-backend-file" and size % _ALIGNMENT:
            raise ModelGapError("files as memory are modelled in units of 2 MiB")
        if device.driver == "nvdimm":
            label = int(device.value("label-size") or 0)
            if label:
                raise ModelGapError("labels of persistent modules are not modelled")
        return size

    def realize_virtio(self, tree: DeviceTree, device: Device) -> None:
        """Give memory on the PCI bus its place in the guest's address space.

        Raises:
            QmpError: There is no room.
        """
        memory = device.objects.get("memdev")
        if memory is None:
            raise QmpError("'memdev' property is not set")
        size = self._size_of(memory, device)
        if device.driver == "virtio-mem-pci":
            block, requested = _virtio_sizes(device)
            if size % block or requested % block or requested > size or block % _ALIGNMENT:
                raise ModelGapError("sizes of virtio-mem that do not fit together")
            if device.value("node") >= (len(self.nodes) or 1):
                raise ModelGapError("virtio-mem in a node that is not there")
            device.values |= {"block-size": block, "requested-size": requested, "size": 0}
        if "memaddr" in device.values:
            raise ModelGapError("virtio memory at an address of one's own is not modelled")
        self._require_space(size)
        device.values["memaddr"] = self._first_fit(0, size)
        tree.objects.map(memory, device)
        self._modules.append(device)
        device.on_unrealize.append(lambda: self._modules.remove(device))

    def request(self, tree: DeviceTree, device: Device, size: int) -> None:
        """``requested-size`` of a virtio-mem device that lives: the guest is asked for it.

        Raises:
            QmpError: The device cannot have that size.
        """
        block, _ = _virtio_sizes(device)
        most = int(device.objects["memdev"].value("size"))
        if size > most:
            raise QmpError(f"'requested-size' cannot exceed the memory backend size(0x{most:x})")
        if size % block:
            raise QmpError(
                f"'requested-size' property has to be multiples of 'block-size' (0x{block:x})"
            )
        device.values["requested-size"] = size
        tree.show_guest(device)

    def virtio(self) -> list[Device]:
        """The virtio-mem devices, in the order in which they came."""
        return [module for module in self._modules if module.driver == "virtio-mem-pci"]

    def _slot(self, device: Device) -> int:
        wanted = device.values.get("slot", -1)
        if not self.slots:
            raise QmpError("no slots where allocated, please specify the 'slots' option")
        taken = {module.value("slot") for module in self._modules if not _is_virtio(module)}
        if wanted >= self.slots or wanted < -1:
            raise QmpError(f"invalid slot number {wanted}, valid range is [0-{self.slots - 1}]")
        if wanted == -1:
            free = [slot for slot in range(self.slots) if slot not in taken]
            if not free:
                raise QmpError("no free slots available")
            return free[0]
        if wanted in taken:
            raise QmpError(f"slot {wanted} is busy")
        return int(wanted)

    def _require_space(self, size: int) -> int:
        total = self.max_bytes - self.base_bytes
        used = sum(_size(module) for module in self._modules)
        if used + size > total:
            raise QmpError(
                f"not enough space, currently 0x{used:x} in use of total space "
                f"for memory devices 0x{total:x}"
            )
        return total

    def _address(self, device: Device, size: int) -> int:
        total = self._require_space(size)
        wanted = device.values.get("addr") or 0
        if wanted % _ALIGNMENT:
            raise QmpError(f"address must be aligned to 0x{_ALIGNMENT:x} bytes")
        if size % _ALIGNMENT:
            raise QmpError(f"backend memory size must be multiple of 0x{_ALIGNMENT:x}")
        end = _BASE + total + self.slots * _PADDING
        if wanted and not _BASE <= wanted <= wanted + size <= end:
            raise QmpError(
                f"can't add memory device [0x{wanted:x}:0x{size:x}], usable range for memory "
                f"devices [0x{_BASE:x}:0x{end - _BASE:x}]"
            )
        return self._first_fit(wanted, size)

    def _first_fit(self, wanted: int, size: int) -> int:
        address = wanted or _BASE
        for module in sorted(self._modules, key=_address):
            start = _address(module)
            if start < address + size and address < start + _size(module):
                if wanted:
                    raise QmpError(
                        f"address range conflicts with memory device id='{module.id or ''}'"
                    )
                address = -(-(start + _size(module)) // _ALIGNMENT) * _ALIGNMENT
        return address

    def listing(self) -> list[dict[str, Any]]:
        """QMP ``query-memory-devices``, by address."""
        return [_describe(module) for module in sorted(self._modules, key=_address)]

    def states(self) -> list[dict[str, Any]]:
        """The slots in QMP ``query-acpi-ospm-status``."""
        modules = [module for module in self._modules if not _is_virtio(module)]
        used = {module.value("slot"): module for module in modules}
        return [
            {
                **({"device": used[slot].id} if slot in used and used[slot].id else {}),
                "slot": str(slot),
                "slot-type": "DIMM",
                "source": self.reports.get(slot, (0, 0))[0],
                "status": self.reports.get(slot, (0, 0))[1],
            }
            for slot in range(self.slots)
        ]


def _is_virtio(module: Device) -> bool:
    return module.driver in _VIRTIO


def _virtio_sizes(device: Device) -> tuple[int, int]:
    """Block size and requested size of a virtio-mem device; a block is a huge page by default."""
    block = int(device.values.get("block-size") or _ALIGNMENT)
    return block, int(device.values.get("requested-size") or 0)


def _address(module: Device) -> int:
    return int(module.value("memaddr" if _is_virtio(module) else "addr"))


def _size(module: Device) -> int:
    """How much of the address space it takes."""
    if _is_virtio(module):
        return int(module.objects["memdev"].value("size"))
    return int(module.value("size"))


def _used(module: Device) -> int:
    return int(module.values["size"]) if "size" in module.values else _size(module)


def _describe(module: Device) -> dict[str, Any]:
    name = {"id": module.id} if module.id else {}
    memory = {"memdev": module.objects["memdev"].path, **name}
    if module.driver == "virtio-pmem-pci":
        data = {"memaddr": _address(module), "size": _size(module)}
        return {"type": "virtio-pmem", "data": data | memory}
    if module.driver == "virtio-mem-pci":
        block, requested = _virtio_sizes(module)
        data = {
            "memaddr": _address(module),
            "block-size": block,
            "size": _used(module),
            "node": module.value("node"),
            "max-size": _size(module),
            "requested-size": requested,
        }
        return {"type": "virtio-mem", "data": data | memory}
    data = {
        "addr": _address(module),
        "size": _size(module),
        "slot": module.value("slot"),
        "node": module.value("node"),
        "hotplugged": module.is_hotplugged,
        "hotpluggable": True,
    }
    kind = "nvdimm" if module.driver == "nvdimm" else "dimm"
    return {"type": kind, "data": data | memory}
