"""QEMU's types as a monitor is told of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu import recorded_devices as recorded
from pyvirt_sim.qemu.errors import QmpError, device_not_found

# Since the type tree is walked by a hash table, the order is not told.
_MODULES: Final = frozenset({"virtio-gpu-pci", "usb-redir"})


def list_types(arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
    """QMP ``qom-list-types``."""
    wanted, with_abstract = arguments.get("implements"), bool(arguments.get("abstract", False))
    found: list[dict[str, Any]] = []
    for name, (parent, is_abstract) in recorded.TYPES.items():
        if is_abstract and not with_abstract:
            continue
        if wanted is not None and not recorded.is_a(name, wanted):
            continue
        item: dict[str, Any] = {"name": name}
        if is_abstract:
            item["abstract"] = True
        if parent is not None:
            item["parent"] = parent
        found.append(item)
    if wanted is not None and not found and wanted not in recorded.TYPES:
        return []
    return found


def device_properties(name: str) -> list[dict[str, Any]]:
    """QMP ``device-list-properties``.

    Raises:
        QmpError: There is no such type, or no device can be made of it.
    """
    if name not in recorded.TYPES:
        raise device_not_found(name)
    if not recorded.is_a(name, "device") or recorded.TYPES[name][1]:
        raise QmpError("Parameter 'typename' expects a non-abstract device type")
    if name not in recorded.MODELS:
        raise ModelGapError(f"the properties of {name} are not modelled")
    return _properties(recorded.MODELS[name])


def object_properties(name: str) -> list[dict[str, Any]]:
    """QMP ``qom-list-properties``.

    Raises:
        QmpError: There is no such type.
    """
    if name not in recorded.TYPES:
        raise QmpError(f"Class '{name}' not found", "DeviceNotFound")
    if name in recorded.OBJECTS:
        return _properties(recorded.OBJECTS[name])
    if name not in recorded.MODELS:
        raise ModelGapError(f"all properties of type {name} are not modelled")
    model = recorded.MODELS[name]
    result: list[dict[str, Any]] = []
    for prop, item in model["class_properties"].items():
        facts = dict(model["properties"][prop] if item is None else item)
        if item is None:
            # Only a device that is made for the purpose tells its defaults.
            facts.pop("default-value", None)
        result.append({"name": prop, **facts})
    return result


def _properties(model: Mapping[str, Any]) -> list[dict[str, Any]]:
    listed: Mapping[str, Mapping[str, Any]] = model["properties"]
    return [{"name": name, **item} for name, item in listed.items()]
