"""Each device type in QEMU's terms: what it needs behind it, and the device itself.

One description serves the command line and the monitor, because QEMU takes the same JSON in both
places: ``-netdev`` and ``netdev_add``, ``-object`` and ``object-add``, ``-blockdev`` and
``blockdev-add``, ``-device`` and ``device_add``. Names of backends follow libvirt's and derive from
the alias alone, so the removal of a device needs no memory of its creation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs

from pyvirt_trio.models.addresses import DriveAddress, PciAddress, UsbAddress
from pyvirt_trio.models.devices import (
    Controller,
    Device,
    Disk,
    HostDevice,
    Input,
    Interface,
    Rng,
    Serial,
    SharedMemory,
    Watchdog,
)


@attrs.frozen
class Backend:
    """Something that must exist in QEMU before a device, and be deleted after it.

    Args:
        option: How it is written on the command line.
        add: QMP command that creates it with ``properties``.
        delete: QMP command that deletes it.
        key: Name of the argument that identifies it, in both commands.
        properties: All its properties.
    """

    option: str
    add: str
    delete: str
    key: str
    properties: dict[str, Any]

    @property
    def identity(self) -> dict[str, Any]:
        """The arguments of ``delete``."""
        return {self.key: self.properties[self.key]}


def backends(device: Device) -> tuple[Backend, ...]:
    """What ``device`` needs in QEMU, in the order of creation. The device has its alias."""
    describe = _BACKENDS.get(type(device))
    return describe(device) if describe else ()


def frontend(device: Device) -> dict[str, Any] | None:
    """The arguments of ``device_add`` for ``device``; ``None`` for what the machine has anyway."""
    return _FRONTENDS[type(device)](device)


def _network_backend(device: Interface) -> tuple[Backend, ...]:
    properties = {"type": "user", "id": f"host{device.alias}"}
    return (Backend("-netdev", "netdev_add", "netdev_del", "id", properties),)


def _random_backend(device: Rng) -> tuple[Backend, ...]:
    properties = {"qom-type": "rng-random", "id": f"obj{device.alias}", "filename": device.source}
    return (Backend("-object", "object-add", "object-del", "id", properties),)


def _shared_memory_backend(device: SharedMemory) -> tuple[Backend, ...]:
    properties = {
        "qom-type": "memory-backend-file",
        "id": f"shmmem-{device.alias}",
        "mem-path": f"/dev/shm/{device.name}",
        "size": device.size_bytes,
        "share": True,
    }
    return (Backend("-object", "object-add", "object-del", "id", properties),)


def _image_nodes(device: Disk) -> tuple[Backend, ...]:
    if device.source_file is None:
        return ()
    storage = {
        "driver": "file",
        "filename": device.source_file,
        "node-name": f"{device.alias}-storage",
        "read-only": device.is_readonly,
    }
    image = {
        "driver": device.image_format,
        "file": storage["node-name"],
        "node-name": f"{device.alias}-format",
        "read-only": device.is_readonly,
    }
    return tuple(
        Backend("-blockdev", "blockdev-add", "blockdev-del", "node-name", properties)
        for properties in (storage, image)
    )


_CONTROLLERS: Final = {
    "qemu-xhci": "qemu-xhci",
    "virtio-scsi": "virtio-scsi-pci",
    "virtio-serial": "virtio-serial-pci",
}


def _controller(device: Controller) -> dict[str, Any] | None:
    if device.kind != "pci":
        return {"driver": _CONTROLLERS[device.model], "id": device.alias, **_place(device)}
    if device.model == "pcie-root":
        return None
    place = device.pci_address
    assert place is not None, "ports are placed with the definition"
    properties: dict[str, Any] = {
        "driver": "pcie-root-port",
        "port": 8 * place.slot + place.function,
        "chassis": device.index,
        "id": device.alias,
        **_place(device),
    }
    if not device.is_hotpluggable:
        properties["hotplug"] = False
    if place.function == 0:
        properties["multifunction"] = True
    return properties


def _interface(device: Interface) -> dict[str, Any]:
    return {
        "driver": "virtio-net-pci",
        "netdev": f"host{device.alias}",
        "id": device.alias,
        "mac": device.mac,
        **_place(device),
    }


def _rng(device: Rng) -> dict[str, Any]:
    return {
        "driver": "virtio-rng-pci",
        "rng": f"obj{device.alias}",
        "id": device.alias,
        **_place(device),
    }


def _disk(device: Disk) -> dict[str, Any]:
    if device.bus == "virtio":
        driver = "virtio-blk-pci"
    elif device.bus == "usb":
        driver = "usb-storage"
    else:
        driver = "scsi-cd" if device.is_cdrom else "scsi-hd"
    medium = {} if device.source_file is None else {"drive": f"{device.alias}-format"}
    return {"driver": driver, **medium, "id": device.alias, **_place(device)}


def _input(device: Input) -> dict[str, Any]:
    if device.bus == "usb":
        driver = "usb-kbd" if device.kind == "keyboard" else f"usb-{device.kind}"
    else:
        driver = f"virtio-{device.kind}-pci"
    return {"driver": driver, "id": device.alias, **_place(device)}


def _watchdog(device: Watchdog) -> dict[str, Any]:
    return {"driver": "i6300esb", "id": device.alias, **_place(device)}


def _shared_memory(device: SharedMemory) -> dict[str, Any]:
    return {
        "driver": "ivshmem-plain",
        "id": device.alias,
        "memdev": f"shmmem-{device.alias}",
        **_place(device),
    }


def _serial(device: Serial) -> dict[str, Any]:
    return {
        "driver": "isa-serial",
        "chardev": f"char{device.alias}",
        "id": device.alias,
        "index": device.port,
    }


def _host_device(device: HostDevice) -> dict[str, Any]:
    return {
        "driver": "vfio-pci",
        "host": str(device.source),
        "id": device.alias,
        **_place(device),
    }


def _place(device: Device) -> dict[str, Any]:
    """Where on which bus, in QEMU's terms: its buses are named after the controllers' aliases."""
    match device.address:
        case PciAddress(bus=index, slot=slot, function=function):
            bus = f"pci.{index}" if index else "pcie.0"
            # QEMU reads "slot" or "slot.function", in hexadecimal.
            return {"bus": bus, "addr": f"{slot:#x}" + (f".{function:#x}" if function else "")}
        case DriveAddress(controller=index, bus=channel, target=target, unit=unit):
            return {"bus": f"scsi{index}.0", "channel": channel, "scsi-id": target, "lun": unit}
        case UsbAddress(bus=index, port=port):
            return {"bus": f"usb{index or ''}.0", "port": str(port)}
        case _:
            raise AssertionError(f"{device} has not been placed")


_BACKENDS: dict[type[Device], Callable[[Any], tuple[Backend, ...]]] = {
    Interface: _network_backend,
    Rng: _random_backend,
    Disk: _image_nodes,
    SharedMemory: _shared_memory_backend,
}

_FRONTENDS: dict[type[Device], Callable[[Any], dict[str, Any] | None]] = {
    Controller: _controller,
    Interface: _interface,
    Rng: _rng,
    Disk: _disk,
    Serial: _serial,
    HostDevice: _host_device,
    Input: _input,
    Watchdog: _watchdog,
    SharedMemory: _shared_memory,
}
