"""The virtio devices on PCI: a proxy, an inner device on a bus of its own, and its demands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from pyvirt_sim.qemu import recorded_devices as recorded
from pyvirt_sim.qemu import scsi, virtio_serial
from pyvirt_sim.qemu.buses import Bus
from pyvirt_sim.qemu.devices import Device
from pyvirt_sim.qemu.errors import QmpError

if TYPE_CHECKING:
    from pyvirt_sim.qemu.tree import DeviceTree

_MAX_QUEUE: Final = 1024
# The inner types of devices of which no real one could be recorded.
_UNSEEN: Final = {
    "vhost-vsock-pci": "vhost-vsock-device",
    "vhost-user-fs-pci": "vhost-user-fs-device",
}
_MAX_BYTES: Final = (1 << 63) - 1


def realize(tree: DeviceTree, device: Device) -> None:
    """Build the inner device of a virtio PCI device.

    Raises:
        QmpError: The inner device cannot work with what it was given.
    """
    bus = device.add_bus(Bus("virtio-bus", "virtio-pci-bus", device, capacity=1))
    model = recorded.MODELS[device.driver]
    inner = tree.create(
        _inner_type(device.driver, model), None, f"{device.path}/virtio-backend", bus
    )
    bus.add(inner)
    checks = _CHECKS.get(device.driver)
    if checks is not None:
        checks(tree, device, inner)
    inner.is_realized = True


def _inner_type(driver: str, model: Mapping[str, Any]) -> str:
    if driver in _UNSEEN:
        return _UNSEEN[driver]
    rows = recorded.rows(model["tree"], "/virtio-backend") or []
    return str(rows[0][2])


def _rng(_tree: DeviceTree, device: Device, _inner: Device) -> None:
    if not device.value("period"):
        raise QmpError("'period' parameter expects a positive integer")
    if device.value("max-bytes") > _MAX_BYTES:
        raise QmpError("'max-bytes' parameter must be non-negative, and less than 2^63")


def _blk(tree: DeviceTree, device: Device, inner: Device) -> None:
    if "drive" not in device.links:
        raise QmpError("drive property not set")
    if not device.value("num-queues"):
        raise QmpError("num-queues property must be larger than 0")
    size = device.value("queue-size")
    if size & (size - 1) or size > _MAX_QUEUE:
        raise QmpError(
            f"invalid queue-size property ({size}), must be a power of 2 (max {_MAX_QUEUE})"
        )
    tree.drives.attach(device, inner.name)


def _net(tree: DeviceTree, device: Device, _inner: Device) -> None:
    for name, low in (("rx_queue_size", 256), ("tx_queue_size", 256)):
        size = device.value(name)
        if size < low or size > 1024 or size & (size - 1):
            raise QmpError(
                f"Invalid {name} (= {size}), must be a power of 2 between {low} and 1024."
            )
    tree.netdevs.add_card(device)


def _balloon(tree: DeviceTree, device: Device, _inner: Device) -> None:
    if tree.balloon is not None:
        raise QmpError("Only one balloon device is supported")
    tree.balloon = device

    def leave() -> None:
        tree.balloon = None
        tree.balloon_target_bytes = tree.balloon_bytes = 0

    device.on_unrealize.append(leave)


def _scsi(tree: DeviceTree, device: Device, inner: Device) -> None:
    inner.add_bus(scsi.ScsiBus.of_virtio(tree.child_bus_name(device, "SCSI"), inner))


def _serial(tree: DeviceTree, device: Device, inner: Device) -> None:
    ports = device.value("max_ports")
    inner.add_bus(
        virtio_serial.SerialBus(tree.child_bus_name(device, "virtio-serial-bus"), inner, ports)
    )


_CHECKS: Final[Mapping[str, Callable[[DeviceTree, Device, Device], None]]] = {
    "virtio-rng-pci": _rng,
    "virtio-blk-pci": _blk,
    "virtio-net-pci": _net,
    "virtio-balloon-pci": _balloon,
    "virtio-scsi-pci": _scsi,
    "virtio-serial-pci": _serial,
}
