"""Whether the memory devices of a domain fit into it (``qemuDomainDefValidateMemoryHotplug``)."""

from __future__ import annotations

from pyvirt_trio.errors import DefinitionError, ErrorCode
from pyvirt_trio.models.addresses import DimmAddress
from pyvirt_trio.models.devices import Device
from pyvirt_trio.models.domain import DomainDefinition
from pyvirt_trio.models.memory import MemoryDevice, VirtioPmem


def require_memory_fits(definition: DomainDefinition, attached: Device | None = None) -> None:
    """All memory of ``definition`` can exist: there are nodes, slots and room for it.

    Args:
        definition: All of it.
        attached: The one among its devices that is new, if it is not the whole that is.

    Raises:
        DefinitionError: It cannot (``CONFIG_UNSUPPORTED``, ``XML_DETAIL`` for a missing node).
    """
    if definition.max_memory_kib and not definition.cells:
        raise _unsupported(
            "At least one numa node has to be configured when enabling memory hotplug"
        )
    devices = [device for device in definition.devices if isinstance(device, MemoryDevice)]
    if not devices:
        return
    if not definition.cells and any(getattr(one, "node", None) is not None for one in devices):
        raise DefinitionError(
            "can't add memory backend as guest has no NUMA nodes configured",
            code=ErrorCode.XML_DETAIL,
        )
    if not definition.max_memory_kib:
        raise _unsupported(
            "cannot use/hotplug a memory device when domain 'maxMemory' is not defined"
        )
    _require_slots(definition, devices)
    space_kib = definition.max_memory_kib - definition.memory_kib
    if sum(device.size_kib for device in devices) > space_kib:
        if isinstance(attached, MemoryDevice):
            raise _unsupported(
                f"Attaching memory device with size '{attached.size_kib}' would exceed domain's "
                f"maxMemory config size '{definition.max_memory_kib}'"
            )
        raise _unsupported("memory device total size exceeds hotplug space")
    for device in devices:
        node = 0 if isinstance(device, VirtioPmem) else getattr(device, "node", None)
        if node is None:
            raise _unsupported("target NUMA node needs to be specified for memory device")
        if node >= len(definition.cells):
            raise DefinitionError(
                f"can't add memory backend for guest node '{node}' as the guest has only "
                f"'{len(definition.cells)}' NUMA nodes configured",
                code=ErrorCode.XML_DETAIL,
            )


def _require_slots(definition: DomainDefinition, devices: list[MemoryDevice]) -> None:
    if len(devices) > definition.memory_slots:
        raise _unsupported(
            f"memory device count '{len(devices)}' exceeds slots count '{definition.memory_slots}'"
        )
    for device in devices:
        place = device.address
        if isinstance(place, DimmAddress) and place.slot >= definition.memory_slots:
            raise _unsupported(
                f"memory device slot '{place.slot}' exceeds slots count '{definition.memory_slots}'"
            )


def _unsupported(message: str) -> DefinitionError:
    return DefinitionError(message, code=ErrorCode.CONFIG_UNSUPPORTED)
