"""Giving a device its properties: reading them, and tying it to the back ends they name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu import properties
from pyvirt_sim.qemu import recorded_devices as recorded
from pyvirt_sim.qemu.devices import Device, owner_of, properties_of
from pyvirt_sim.qemu.errors import QmpError
from pyvirt_sim.qemu.netdevs import CARDS
from pyvirt_sim.qemu.order import qdict_order
from pyvirt_sim.qemu.recorded_devices import Row
from pyvirt_sim.qemu.text import is_mac, parse_slot_function

if TYPE_CHECKING:
    from pyvirt_sim.qemu.tree import DeviceTree

# Properties that tie the device to what cannot be had here.
_UNMODELLED: Final = frozenset({"iothread-vq-mapping"})


def as_options(members: Mapping[str, Any]) -> dict[str, str]:
    """What is left of the members of ``device_add`` when QEMU makes options of them.

    Numbers and booleans become words; null, lists and objects are dropped without a word. The
    order is that of QEMU's dictionary: of several wrong options the first one is complained about.
    """
    words: dict[str, str] = {}
    for name in qdict_order(members):
        value = members[name]
        if isinstance(value, bool):
            words[name] = "on" if value else "off"
        elif isinstance(value, int | str):
            words[name] = str(value)
        elif isinstance(value, float):
            words[name] = f"{value:.17g}"
    # They are put into a second dictionary in the order of the first.
    return {name: words[name] for name in qdict_order(words)}


def apply(tree: DeviceTree, device: Device, given: Mapping[str, str]) -> None:
    """Set the properties of a device that is not realized, in the order given.

    Raises:
        QmpError: One is unknown, read only, or has a value that QEMU does not take.
        ModelGapError: One is not modelled.
    """
    known = properties_of(device.driver)
    for name, text in given.items():
        row = known.get(name)
        if row is None:
            raise QmpError(f"Property '{device.driver}.{name}' not found")
        properties.writable(device.driver, row)
        if name in _UNMODELLED:
            raise ModelGapError(f"property {device.driver}.{name} is not modelled")
        if not _tie(tree, device, row, text):
            device.values[name] = _read(device, row, text)


def _tie(tree: DeviceTree, device: Device, row: Row, text: str) -> bool:
    """Tie the device to the back end named ``text``, if that is what the property does."""
    name, kind = row[0], row[1]
    if kind.startswith("link<"):
        device.objects[name] = tree.objects.resolve(name, text, kind[len("link<") : -1])
        return True
    owner = owner_of(device.driver, name)
    if name == "netdev":
        tree.netdevs.claim(text, name, owner, device)
    elif name == "chardev":
        tree.chardevs.claim(text, name, owner, device)
    elif name == "audiodev":
        if text not in tree.audiodevs:
            raise ModelGapError(f"an audiodev {text} that is not there is not modelled")
    elif name == "drive":
        tree.blocks.check(text, name, owner)
    else:
        return False
    device.links[name] = text
    return True


def _read(device: Device, row: Row, text: str) -> object:
    name, kind = row[0], row[1]
    if name == "addr" and kind == "int32":
        place = parse_slot_function(text)
        if place is None:
            raise _not_taken(device, name, text)
        return place[0] << 3 | place[1]
    if name == "mac":
        if not is_mac(text):
            raise _not_taken(device, name, text)
        return text
    if kind == "size" and name.endswith("_block_size"):
        return _block_size(row, text)
    item = recorded.MODELS.get(device.driver, {}).get("properties", {}).get(name, {})
    return properties.read(name, kind, item.get("description"), text)


def _not_taken(device: Device, name: str, text: str) -> QmpError:
    owner = owner_of(device.driver, name)
    return QmpError(f"Property '{owner}.{name}' doesn't take value '{text}'")


def _block_size(row: Row, text: str) -> int:
    value = properties.read(row[0], "size", None, text)
    if not isinstance(value, int):
        raise AssertionError(f"a size is a number: {value!r}")
    if value and not 512 <= value <= 1 << 21:
        raise QmpError(
            f"Property .{row[0]} doesn't take value {value} (minimum: 512, maximum: 2097152)"
        )
    if value & (value - 1):
        raise QmpError(f"Property .{row[0]} doesn't take value '{value}', it's not a power of 2")
    return value


def check_late(tree: DeviceTree, device: Device) -> None:
    """What QEMU looks at once a PCI device is realized: a fail-over partner, the expansion ROM.

    Raises:
        QmpError: It cannot have that partner, or there is no such file.
    """
    if "failover_pair_id" in device.values:
        if device.bus is not None and device.bus.kind != "PCIE":
            raise QmpError("failover primary device must be on PCIExpress bus")
        if device.driver not in CARDS and device.driver != "vfio-pci":
            raise QmpError("failover primary device is not an Ethernet device")
        raise ModelGapError("network cards with a fail-over partner are not modelled")
    file = device.values.get("romfile")
    if file is None and device.value("romfile") and "romsize" in device.values:
        raise ModelGapError("expansion ROMs of another size than their file are not modelled")
    if not file:
        return
    if tree.world.file_exists(str(file)):
        raise ModelGapError("expansion ROMs of other files are not modelled")
    raise QmpError(f'failed to find romfile "{file}"')
