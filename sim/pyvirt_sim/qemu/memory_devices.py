"""Memory modules: slots, the address space for them, and what a monitor is told about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu.devices import Device
from pyvirt_sim.qemu.errors import QmpError

if TYPE_CHECKING:
    from pyvirt_sim.qemu.tree import DeviceTree

# Modules lie above the memory a 32-bit guest can see.
_BASE: Final = 4 << 30
# The size of a transparent huge page, to which QEMU aligns anonymous memory.
_ALIGNMENT: Final = 2 << 20
# QEMU leaves room for each module to be aligned to a huge page of this size.
_PADDING: Final = 1 << 30


@attrs.define(eq=False)
class MemoryDevices:
    """The memory modules of one machine.

    Args:
        base_bytes: The memory it is born with.
        max_bytes: How much it may have in all.
        slots: How many modules fit.
    """

    base_bytes: int
    max_bytes: int = 0
    slots: int = 0
    _modules: list[Device] = attrs.field(factory=list[Device])

    @property
    def plugged_bytes(self) -> int:
        """The memory of all modules."""
        return sum(_size(module) for module in self._modules)

    def realize(self, tree: DeviceTree, device: Device) -> None:
        """Put a module into a slot and at an address, the ones asked for or the first free.

        Raises:
            QmpError: There is no room, or it does not fit.
        """
        if device.driver == "nvdimm":
            raise QmpError("nvdimm is not enabled: missing 'nvdimm' in '-M'")
        slot = self._slot(device)
        memory = device.objects.get("memdev")
        if memory is None:
            raise QmpError("'memdev' property must be set")
        if memory.kind != "memory-backend-ram":
            raise ModelGapError(f"modules backed by {memory.kind} are not modelled")
        size = int(memory.value("size"))
        address = self._address(device, size)
        node = device.value("node")
        if node:
            raise QmpError(
                f"'DIMM property node has value {node}' which exceeds the number of numa nodes: 1"
            )
        tree.objects.map(memory, device)
        device.values |= {"slot": slot, "addr": address, "size": size}
        self._modules.append(device)
        device.on_unrealize.append(lambda: self._modules.remove(device))

    def _slot(self, device: Device) -> int:
        wanted = device.values.get("slot", -1)
        if not self.slots:
            raise QmpError("no slots where allocated, please specify the 'slots' option")
        taken = {module.value("slot") for module in self._modules}
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

    def _address(self, device: Device, size: int) -> int:
        total = self.max_bytes - self.base_bytes
        if self.plugged_bytes + size > total:
            raise QmpError(
                f"not enough space, currently 0x{self.plugged_bytes:x} in use of total space "
                f"for memory devices 0x{total:x}"
            )
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
        """QMP ``query-acpi-ospm-status`` before a guest has said anything."""
        used = {module.value("slot"): module for module in self._modules}
        return [
            {
                **({"device": used[slot].id} if slot in used and used[slot].id else {}),
                "slot": str(slot),
                "slot-type": "DIMM",
                "source": 0,
                "status": 0,
            }
            for slot in range(self.slots)
        ]


def _address(module: Device) -> int:
    return int(module.value("addr"))


def _size(module: Device) -> int:
    return int(module.value("size"))


def _describe(module: Device) -> dict[str, Any]:
    data = {
        "addr": _address(module),
        "size": _size(module),
        "slot": module.value("slot"),
        "node": module.value("node"),
        "memdev": module.objects["memdev"].path,
        "hotplugged": module.is_hotplugged,
        "hotpluggable": True,
    }
    return {"type": "dimm", "data": data | ({"id": module.id} if module.id else {})}
