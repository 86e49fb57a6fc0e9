"""What libvirt says when a domain lacks the device that a description means.

Each of its device types has a sentence of its own, and most have another one when the persistent
definition is searched (``qemuDomainDetachDeviceConfig``) than when the running machine is
(``qemuDomainDetachPrep*``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from pyvirt_trio.errors import ErrorCode, NotFoundError
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
from pyvirt_trio.models.display import Graphics, Sound
from pyvirt_trio.models.host_devices import HostMediated, HostScsi, HostScsiTarget, HostUsb
from pyvirt_trio.models.memory import Dimm, MemoryDevice, Nvdimm, VirtioMemory, VirtioPmem
from pyvirt_trio.models.sharing import Filesystem, Lease, Vsock
from pyvirt_trio.xml.devices import device_element

_Sentence: TypeAlias = tuple[ErrorCode, Callable[[Any], str]]


def not_found(
    wanted: Device, present: Iterable[Device], *, call: str, is_live: bool
) -> NotFoundError:
    """The error that says that there is no such device.

    Args:
        wanted: The description.
        present: What the domain has.
        call: ``detach`` or ``update``.
        is_live: Whether the running machine was searched, or the persistent definition.
    """
    if isinstance(wanted, Disk) and call == "update":
        if is_live:
            return NotFoundError(f"disk '{wanted.target}' not found", code=ErrorCode.INTERNAL_ERROR)
        return NotFoundError(f"target {wanted.target} doesn't exist.", code=ErrorCode.INVALID_ARG)
    if isinstance(wanted, MemoryDevice) and call == "update":
        if is_live:  # by its alias, which libvirt prints as a null pointer if there is none
            return NotFoundError(
                f"memory '{wanted.alias or '(null)'}' not found", code=ErrorCode.CONFIG_UNSUPPORTED
            )
        return NotFoundError("memory not found", code=ErrorCode.INVALID_ARG)
    if isinstance(wanted, Watchdog) and is_live:
        return NotFoundError(_no_such_watchdog(present), code=ErrorCode.DEVICE_MISSING)
    code, text = (_LIVE if is_live else _CONFIG).get(type(wanted), _OTHER)
    return NotFoundError(text(wanted), code=code)


def no_such_interface(wanted: Interface) -> str:
    """libvirt's text, with the null pointers it prints."""
    address = "(<null>)" if wanted.pci_address is None else str(wanted.pci_address)
    mac, alias = wanted.mac or "(<null>)", wanted.alias or "(<null>)"
    return (
        f"no device found at address '{address}' matching MAC address '{mac}' and alias '{alias}'"
    )


def _fixed(text: str, code: ErrorCode = ErrorCode.DEVICE_MISSING) -> _Sentence:
    return code, lambda _: text


def _said(text: Callable[[Any], str]) -> _Sentence:
    return ErrorCode.DEVICE_MISSING, text


def _no_such_port(device: Device) -> str:
    tag = device_element(device).tag
    return f"chr type '{tag}' device not present in domain configuration"


def _no_such_watchdog(present: Iterable[Device]) -> str:
    """Of the two that libvirt compares, it names the model of the one that is there."""
    found = [f"model '{one.model}' " for one in present if isinstance(one, Watchdog)]
    return f"{''.join(found[:1])}watchdog device not present in domain configuration"


def _no_such_shared_memory(device: SharedMemory) -> str:
    model = "ivshmem-plain" if device.server is None else "ivshmem-doorbell"
    return f"model '{model}' shmem device not present in domain configuration"


def _no_such_memory(device: Device) -> str:
    model = device_element(device).attributes["model"]
    return f"model '{model}' memory device not present in the domain configuration"


def _no_such_usb(device: HostUsb) -> str:
    if device.bus is not None and device.device is not None:
        return f"host usb device {device.bus:03d}.{device.device:03d} not found"
    kind = f"vendor=0x{device.vendor_id:04x} product=0x{device.product_id:04x}"
    return f"host usb device {kind} not found"


def _no_such_scsi(device: HostScsi) -> str:
    place = f"scsi_host{device.adapter}:{device.bus}:{device.target}.{device.unit}"
    return f"host scsi device {place} not found"


_NO_LEASE: _Sentence = (
    ErrorCode.INVALID_ARG,
    lambda lease: f"Lease {lease.key} in lockspace {lease.lockspace or ''} does not exist",
)
_NO_CHARACTER_DEVICE = _fixed("device not present in domain configuration", ErrorCode.INVALID_ARG)
_OTHER = _said(lambda device: f"matching {device_element(device).tag} device was not found")

_LIVE: dict[type[Device], _Sentence] = {
    Disk: _said(lambda disk: f"disk {disk.target} not found"),
    Interface: _said(no_such_interface),
    Controller: _said(lambda one: f"controller {one.kind}:{one.index} not found"),
    Rng: _fixed("model 'random' RNG device not present in domain configuration"),
    Input: _fixed("matching input device not found"),
    Serial: _said(_no_such_port),
    Channel: _said(_no_such_port),
    GuestForward: _said(_no_such_port),
    RedirectedUsb: _fixed("no matching redirdev was not found", ErrorCode.OPERATION_INVALID),
    SharedMemory: _said(_no_such_shared_memory),
    Console: _said(_no_such_port),
    Parallel: _said(_no_such_port),
    Vsock: _fixed("matching vsock device not found"),
    Filesystem: _fixed("matching filesystem not found"),
    Lease: _NO_LEASE,
    Graphics: _said(
        lambda one: f"cannot find existing graphics device to modify of type '{one.kind}'"
    ),
    **dict.fromkeys((Dimm, Nvdimm, VirtioMemory, VirtioPmem), _said(_no_such_memory)),
    HostDevice: _said(lambda device: f"host pci device {device.source} not found"),
    HostUsb: _said(_no_such_usb),
    HostScsi: _said(_no_such_scsi),
    HostMediated: _said(lambda device: f"mediated device '{device.uuid}' not found"),
}
_CONFIG: dict[type[Device], _Sentence] = {
    Disk: _said(lambda disk: f"no target device {disk.target}"),
    Interface: _said(no_such_interface),
    Controller: _fixed("device not present in domain configuration"),
    Rng: _fixed("no matching RNG device was found"),
    Input: _fixed("matching input device not found"),
    Watchdog: _fixed("domain has no watchdog"),
    Serial: _NO_CHARACTER_DEVICE,
    Channel: _NO_CHARACTER_DEVICE,
    GuestForward: _NO_CHARACTER_DEVICE,
    RedirectedUsb: _fixed("no matching redirdev was not found"),
    SharedMemory: _fixed("matching shmem device was not found"),
    Console: _NO_CHARACTER_DEVICE,
    Parallel: _NO_CHARACTER_DEVICE,
    Vsock: _fixed("matching vsock device not found", ErrorCode.OPERATION_FAILED),
    Filesystem: _fixed("no matching filesystem device was found"),
    Lease: _said(_NO_LEASE[1]),
    Graphics: (
        ErrorCode.INVALID_ARG,
        lambda one: f"cannot find existing graphics type '{one.kind}' device to modify",
    ),
    Sound: _fixed("device not present in domain configuration"),
    **dict.fromkeys(
        (Dimm, Nvdimm, VirtioMemory, VirtioPmem), _fixed("matching memory device was not found")
    ),
    **dict.fromkeys(
        (HostDevice, HostUsb, HostScsi, HostScsiTarget, HostMediated),
        _fixed("device not present in domain configuration"),
    ),
}
