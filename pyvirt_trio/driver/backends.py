"""Each device type in QEMU's terms: what it needs behind it, and the device itself.

One description serves the command line and the monitor, because QEMU takes the same JSON in both
places: ``-netdev`` and ``netdev_add``, ``-object`` and ``object-add``, ``-blockdev`` and
``blockdev-add``, ``-device`` and ``device_add``. Names of backends follow libvirt's and derive from
the alias alone, so the removal of a device needs no memory of its creation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pyvirt_trio.driver import display, memory_devices, networks, sharing
from pyvirt_trio.driver.chardev import chardev_backend, chardev_option
from pyvirt_trio.driver.qdev import Backend as Backend
from pyvirt_trio.driver.qdev import place
from pyvirt_trio.models.character import CharacterSource
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
from pyvirt_trio.models.host_devices import (
    HostInterface,
    HostMediated,
    HostScsi,
    HostScsiTarget,
    HostUsb,
)
from pyvirt_trio.models.sharing import Filesystem, Lease, Vsock


def backends(device: Device) -> tuple[Backend, ...]:
    """What ``device`` needs in QEMU, in the order of creation. The device has its alias."""
    describe = _BACKENDS.get(type(device))
    return describe(device) if describe else ()


def frontend(device: Device) -> dict[str, Any] | None:
    """The arguments of ``device_add`` for ``device``; ``None`` for what the machine has anyway."""
    return _FRONTENDS[type(device)](device)


def _random_backend(device: Rng) -> tuple[Backend, ...]:
    properties = {"qom-type": "rng-builtin", "id": f"obj{device.alias}"}
    if device.source is not None:
        properties |= {"qom-type": "rng-random", "filename": device.source}
    return (Backend.of("object", properties),)


def _shared_memory_backend(device: SharedMemory) -> tuple[Backend, ...]:
    if device.server is not None:
        return (_chardev(device, CharacterSource(kind="unix", path=device.server)),)
    properties = {
        "qom-type": "memory-backend-file",
        "id": f"shmmem-{device.alias}",
        "mem-path": f"/dev/shm/{device.name}",
        "size": device.size_bytes,
        "share": True,
    }
    return (Backend.of("object", properties),)


def chardev_name(device: Device) -> str:
    """What QEMU calls the host's end of a character device."""
    return f"char{device.alias}"


def _chardev(device: Device, source: CharacterSource) -> Backend:
    name = chardev_name(device)
    return Backend(
        argv=("-chardev", chardev_option(name, source)),
        add="chardev-add",
        arguments={"id": name, "backend": chardev_backend(source)},
        delete="chardev-remove",
        identity={"id": name},
    )


def _character_backend(
    device: Serial | Channel | Console | Parallel | RedirectedUsb,
) -> tuple[Backend, ...]:
    return (_chardev(device, device.source),)


def _guest_forward_backends(device: GuestForward) -> tuple[Backend, ...]:
    forward = f"tcp:{device.ip_address}:{device.port}-chardev:{chardev_name(device)}"
    network = {"type": "user", "guestfwd": [{"str": forward}], "id": device.alias}
    return (_chardev(device, device.source), Backend.of("netdev", network))


def _image_nodes(device: Disk) -> tuple[Backend, ...]:
    if device.source_file is None:
        return ()
    storage = {
        "driver": "file",
        "filename": device.source_file,
        "node-name": f"{device.alias}-storage",
        "auto-read-only": True,
        "discard": "unmap",
    }
    image = {
        "driver": device.image_format,
        "file": storage["node-name"],
        "node-name": f"{device.alias}-format",
        "read-only": device.is_readonly,
    }
    return (Backend.of("blockdev", storage), Backend.of("blockdev", image))


_CONTROLLERS: Final = {
    "qemu-xhci": "qemu-xhci",
    "virtio-scsi": "virtio-scsi-pci",
    "virtio-serial": "virtio-serial-pci",
}


def _controller(device: Controller) -> dict[str, Any] | None:
    if device.kind != "pci":
        return {"driver": _CONTROLLERS[device.model], "id": device.alias, **place(device)}
    if device.model == "pcie-root":
        return None
    where = device.pci_address
    assert where is not None, "ports are placed with the definition"
    properties: dict[str, Any] = {
        "driver": "pcie-root-port",
        "port": 8 * where.slot + where.function,
        "chassis": device.index,
        "id": device.alias,
        **place(device),
    }
    if not device.is_hotpluggable:
        properties["hotplug"] = False
    if where.function == 0 and device.is_multifunction is None:  # more ports may be written later
        properties["multifunction"] = True
    return properties


def _interface(device: Interface) -> dict[str, Any]:
    return {
        "driver": "virtio-net-pci",
        "netdev": f"host{device.alias}",
        "id": device.alias,
        "mac": device.mac,
        **place(device),
    }


def _rng(device: Rng) -> dict[str, Any]:
    return {
        "driver": "virtio-rng-pci",
        "rng": f"obj{device.alias}",
        "id": device.alias,
        **place(device),
    }


def _disk(device: Disk) -> dict[str, Any]:
    if device.bus == "virtio":
        driver = "virtio-blk-pci"
    elif device.bus == "usb":
        driver = "usb-storage"
    else:
        bus = "ide" if device.bus == "sata" else device.bus
        driver = f"{bus}-cd" if device.is_cdrom else f"{bus}-hd"
    more: dict[str, Any] = {}
    if device.source_file is not None:
        more["drive"] = f"{device.alias}-format"
    if device.bus == "scsi":  # how the guest knows it, wherever it sits
        more["device_id"] = f"drive-{device.alias}"
    if device.bus == "usb":
        more["removable"] = False
    return {"driver": driver, **more, "id": device.alias, **place(device)}


def _input(device: Input) -> dict[str, Any]:
    if device.bus == "usb":
        driver = "usb-kbd" if device.kind == "keyboard" else f"usb-{device.kind}"
    else:
        driver = f"virtio-{device.kind}-pci"
    return {"driver": driver, "id": device.alias, **place(device)}


def _watchdog(device: Watchdog) -> dict[str, Any]:
    where = {} if device.model == "ib700" else place(device)
    return {"driver": device.model, "id": device.alias, **where}


def _shared_memory(device: SharedMemory) -> dict[str, Any]:
    if device.server is not None:
        more = {"vectors": device.vectors, "ioeventfd": device.has_ioeventfd}
        return {
            "driver": "ivshmem-doorbell",
            "id": device.alias,
            "chardev": chardev_name(device),
            **{name: value for name, value in more.items() if value is not None},
            **place(device),
        }
    return {
        "driver": "ivshmem-plain",
        "id": device.alias,
        "memdev": f"shmmem-{device.alias}",
        **place(device),
    }


def _serial(device: Serial) -> dict[str, Any]:
    where = {"index": device.port} if device.model == "isa-serial" else place(device)
    return {
        "driver": device.model,
        "chardev": chardev_name(device),
        "id": device.alias,
        **where,
    }


def _channel(device: Channel) -> dict[str, Any]:
    name = {} if device.name is None else {"name": device.name}
    return {
        "driver": "virtserialport",
        "chardev": chardev_name(device),
        "id": device.alias,
        **name,
        **place(device),
    }


def _console(device: Console) -> dict[str, Any]:
    return {
        "driver": "virtconsole",
        "chardev": chardev_name(device),
        "id": device.alias,
        **place(device),
    }


def _parallel(device: Parallel) -> dict[str, Any]:
    return {
        "driver": "isa-parallel",
        "chardev": chardev_name(device),
        "id": device.alias,
        "index": device.port,
    }


def _no_device(_device: GuestForward | Lease | Graphics) -> None:
    return None


def _redirected_usb(device: RedirectedUsb) -> dict[str, Any]:
    return {
        "driver": "usb-redir",
        "chardev": chardev_name(device),
        "id": device.alias,
        **place(device),
    }


def _host_device(device: HostDevice | HostInterface) -> dict[str, Any] | None:
    if isinstance(device, HostDevice) and device.is_unassigned:
        return None
    return {
        "driver": "vfio-pci",
        "host": str(device.source),
        "id": device.alias,
        **place(device),
    }


def _mediated(device: HostMediated) -> dict[str, Any]:
    return {
        "driver": "vfio-pci",
        "sysfsdev": f"/sys/bus/mdev/devices/{device.uuid}",
        "id": device.alias,
        **place(device),
    }


def _host_usb(device: HostUsb) -> dict[str, Any]:
    return {
        "driver": "usb-host",
        "hostdevice": f"/dev/bus/usb/{device.bus:03}/{device.device:03}",
        "id": device.alias,
        **place(device),
    }


def _scsi_node(device: HostScsi) -> tuple[Backend, ...]:
    node = {
        "driver": "host_device",
        "filename": f"/dev/{device.generic_node}",
        "node-name": f"{device.alias}-backend",
        "read-only": device.is_readonly,
    }
    return (Backend.of("blockdev", node),)


def _host_scsi(device: HostScsi) -> dict[str, Any]:
    return {
        "driver": "scsi-generic",
        "drive": f"{device.alias}-backend",
        "id": device.alias,
        **place(device),
    }


def _scsi_target(device: HostScsiTarget) -> dict[str, Any]:
    return {
        "driver": "vhost-scsi-pci",
        "wwpn": device.wwpn,
        "id": device.alias,
        **place(device),
    }


_BACKENDS: dict[type[Device], Callable[[Any], tuple[Backend, ...]]] = {
    Interface: networks.network_backends,
    Rng: _random_backend,
    Disk: _image_nodes,
    SharedMemory: _shared_memory_backend,
    Serial: _character_backend,
    Channel: _character_backend,
    Console: _character_backend,
    Parallel: _character_backend,
    Filesystem: sharing.filesystem_backend,
    RedirectedUsb: _character_backend,
    GuestForward: _guest_forward_backends,
    HostScsi: _scsi_node,
    **dict.fromkeys(memory_devices.FRONTENDS, memory_devices.backend),
}

_FRONTENDS: dict[type[Device], Callable[[Any], dict[str, Any] | None]] = {
    Controller: _controller,
    Interface: _interface,
    Rng: _rng,
    Disk: _disk,
    Serial: _serial,
    HostDevice: _host_device,
    HostInterface: _host_device,
    HostMediated: _mediated,
    HostUsb: _host_usb,
    HostScsi: _host_scsi,
    HostScsiTarget: _scsi_target,
    Input: _input,
    Watchdog: _watchdog,
    SharedMemory: _shared_memory,
    Channel: _channel,
    Console: _console,
    Parallel: _parallel,
    Vsock: sharing.vsock,
    Filesystem: sharing.filesystem,
    Lease: _no_device,
    RedirectedUsb: _redirected_usb,
    GuestForward: _no_device,
    Graphics: _no_device,
    Sound: display.sound_card,
    Video: display.video_card,
    **memory_devices.FRONTENDS,
}
