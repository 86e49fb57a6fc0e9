"""Finding the device somebody means, by alias or by a description of it.

libvirt compares only what identifies a device of each type (``virDomainNetFindIdx``,
``virDomainHostdevFind`` and so on): a description may leave out the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyvirt_trio.driver.missing import not_found
from pyvirt_trio.errors import ConflictError, ErrorCode, NotFoundError
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
from pyvirt_trio.models.domain import DomainDefinition
from pyvirt_trio.models.host_devices import (
    HostInterface,
    HostMediated,
    HostScsi,
    HostScsiTarget,
    HostUsb,
)
from pyvirt_trio.models.memory import Dimm, Nvdimm, VirtioMemory, VirtioPmem
from pyvirt_trio.models.sharing import Filesystem, Lease, Vsock
from pyvirt_trio.xml.devices import device_of, parse_description
from pyvirt_trio.xml.element import Element

_IDENTITY: dict[type[Device], Callable[[Any], object]] = {
    Disk: lambda disk: disk.target,
    Interface: lambda interface: interface.mac,
    HostDevice: lambda device: device.source,
    HostInterface: lambda device: device.source,
    HostScsi: str,
    HostScsiTarget: str,
    HostMediated: str,
    Graphics: lambda graphics: graphics.kind,
    Sound: lambda sound: sound.model,
    Video: lambda video: video.model,
    Rng: lambda rng: (rng.source,),
    Serial: lambda serial: (serial.port, serial.source, serial.model),
    Console: lambda console: (console.source, console.port),
    Parallel: lambda parallel: (parallel.source, parallel.port),
    Vsock: lambda vsock: vsock.cid,
    Filesystem: lambda filesystem: filesystem.tag,
    Lease: lambda lease: (lease.lockspace, lease.key),
    Channel: lambda channel: (channel.name, channel.source),
    GuestForward: lambda forward: (forward.ip_address, forward.port),
    RedirectedUsb: lambda device: device.source,
    Controller: lambda controller: (controller.kind, controller.index),
    Input: lambda device: (device.kind, device.bus),
    Watchdog: lambda watchdog: (watchdog.model, watchdog.action),
    SharedMemory: lambda memory: (memory.name, memory.size_bytes, memory.server),
    Dimm: lambda memory: (memory.size_kib, memory.node),
    Nvdimm: lambda memory: (memory.size_kib, memory.node, memory.path),
    VirtioMemory: lambda memory: (memory.size_kib, memory.node, memory.block_kib),
    VirtioPmem: lambda memory: (memory.size_kib, memory.path),
}


def described(text: str) -> str | Element:
    """What somebody calls a device by: an alias as it is, or the element that describes it.

    Raises:
        DefinitionError: It looks like XML and is not well-formed.
    """
    return parse_description(text) if text.lstrip().startswith("<") else text


def find_device(
    definition: DomainDefinition,
    wanted: str | Element,
    *,
    call: str = "detach",
    is_live: bool = True,
) -> Device:
    """The device of a definition that ``wanted`` means; the first one, if several are alike.

    Args:
        definition: Devices of a live one have aliases.
        wanted: An alias, or an element that describes the device; see `described`.
        call: What it is looked for, in libvirt's words ``detach`` or ``update``.
        is_live: Whether ``definition`` is of the running machine.

    Raises:
        NotFoundError: There is none.
        ConflictError: There are several network cards that fit.
        DefinitionError: The element is not one of a device.
    """
    if isinstance(wanted, str):
        device = definition.device(wanted)
        if device is None:
            raise NotFoundError(
                f"no device found with alias {wanted}", code=ErrorCode.INTERNAL_ERROR
            )
        return device
    description = device_of(wanted)
    matches = [device for device in definition.devices if _fits(description, device)]
    if not matches:
        raise not_found(description, definition.devices, call=call, is_live=is_live)
    if len(matches) > 1 and isinstance(description, Interface):
        # Two cards of a team have one MAC: their addresses tell them apart.
        if description.mac is None:
            raise ConflictError("multiple matching devices found")
        raise ConflictError(f"multiple devices matching MAC address {description.mac} found")
    return matches[0]


def _fits(description: Device, device: Device) -> bool:
    if type(description) is not type(device):
        return False
    if description.alias is not None and description.alias != device.alias:
        return False
    if description.address is not None and description.address != device.address:
        return False
    if isinstance(description, HostUsb) and isinstance(device, HostUsb):
        return description.means(device)
    identity = _IDENTITY.get(type(device))
    if identity is None:
        return True
    wanted = identity(description)
    return wanted is None or wanted == identity(device)
