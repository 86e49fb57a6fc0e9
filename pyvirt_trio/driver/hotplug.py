"""Plugging a device into a running domain (``qemuDomainAttachDeviceLive``)."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import outcome
import trio

from pyvirt_trio.driver import virtiofsd
from pyvirt_trio.driver.backends import Backend, backends, frontend
from pyvirt_trio.driver.memory_reports import as_reported
from pyvirt_trio.driver.memory_rules import require_memory_fits
from pyvirt_trio.driver.missing_images import image_is_missing
from pyvirt_trio.driver.networks import require_tap
from pyvirt_trio.driver.placement import complete_device, missing_controller, name_device
from pyvirt_trio.driver.pluggable import require_pluggable, require_port_takes
from pyvirt_trio.driver.sharing import require_shared_memory
from pyvirt_trio.driver.taken import refuse_taken
from pyvirt_trio.driver.throttling import apply_iotune
from pyvirt_trio.driver.vcpu_plugging import require_sound
from pyvirt_trio.errors import (
    CommandFailedError,
    ErrorCode,
    HostError,
    MonitorError,
    OutcomeUnknownError,
)
from pyvirt_trio.models.devices import Device, Disk, Interface, Watchdog
from pyvirt_trio.models.events import DeviceAdded, MemoryDeviceSizeChanged
from pyvirt_trio.models.memory import VirtioMemory
from pyvirt_trio.models.sharing import Lease, Vsock
from pyvirt_trio.xml.unique import refuse_duplicates

if TYPE_CHECKING:
    from pyvirt_trio.driver.life import Life


async def plug(life: Life, device: Device) -> Device:
    """Add ``device`` to the running domain; the caller holds the domain's job.

    A SCSI disk whose controller is missing brings it along. Host devices are prepared first, then
    backends are created, then the device, then the definition has it and `DeviceAdded` is
    announced. A failure undoes all that in reverse.

    Returns:
        The device as it is in the live definition: named and placed.

    Raises:
        DefinitionError: This type cannot be plugged, or there is no free place.
        AlreadyExistsError: Its alias is taken.
        CommandFailedError: QEMU refused.
        DeviceInUseError, InvalidStateError, HostError: See `HostDeviceManager.prepare`; the
            second also when the domain stops meanwhile.

    Cancellation:
        The device is plugged and announced, or nothing of it is left: what has been sent to QEMU
        is completed first.
    """
    live = life.domain.view.live
    assert live is not None, "a life has a live definition"
    require_pluggable(live, device)
    require_sound(life)
    controller = missing_controller(device, live.devices)
    if controller is not None:
        await plug(life, controller)
        live = life.definition
    require_memory_fits(live.with_device(device), device)
    require_shared_memory(live, device)
    device = complete_device(device, live.devices, life.host.fresh_uuid)
    if device.alias is not None:  # a name that is taken is told before what else there is twice
        name_device(device, live.devices)
    refuse_taken(live, device, is_live=True)
    refuse_duplicates(live.with_device(device))
    device = virtiofsd.with_socket(life, name_device(device, live.devices))
    require_port_takes(live, device)
    life.note(plugging=(*life.domain.private.plugging, device))
    try:
        return await _plug(life, device)
    finally:  # it is plugged, or nothing is left of it
        life.note(plugging=_others(life, device))


def _others(life: Life, device: Device) -> tuple[Device, ...]:
    plugging = life.domain.private.plugging
    return tuple(one for one in plugging if one.alias != device.alias)


async def _plug(life: Life, device: Device) -> Device:
    (device,) = await life.host_devices.prepare(life.owner, [device])
    created: list[Backend] = []
    try:
        await require_tap(life.host, device)
        await virtiofsd.serve(life, device)
        with trio.CancelScope(shield=True):  # bounded: QEMU answers these without the guest
            await _create(life, device, created)
            device = await as_reported(life, device)
        life.require_running()
    except BaseException as error:
        with trio.CancelScope(shield=True):
            await _delete(life, created)
            await virtiofsd.end(life, device)
            await life.host_devices.release(life.owner, [device])
        words = _in_libvirt_s_words(device, error)
        if words is not None:
            raise words from error
        raise
    with life.domain.journal.commit() as commit:
        assert device.alias is not None, "name_device has named it"
        commit.update(life.domain, live=life.definition.with_device(device))
        commit.note(life.domain, plugging=_others(life, device))
        if not isinstance(device, Lease):  # no device of QEMU's: libvirt announces nothing
            commit.announce(DeviceAdded(**life.stamp, alias=device.alias))
        if isinstance(device, VirtioMemory) and device.current_kib:
            # The guest was faster than our question: QEMU's event came before the record.
            commit.announce(
                MemoryDeviceSizeChanged(
                    **life.stamp, alias=device.alias, size_kib=device.current_kib
                )
            )
    return device


def _in_libvirt_s_words(device: Device, error: BaseException) -> HostError | None:
    """What libvirt says of what is not there: it looks before it asks QEMU, and we ask."""
    said = error.description if isinstance(error, CommandFailedError) else ""
    if isinstance(device, Vsock) and said.startswith("vhost-vsock: failed to open vhost device"):
        return HostError("unable to open vhost-vsock device", code=ErrorCode.CONFIG_UNSUPPORTED)
    if isinstance(device, Disk) and device.source_file is not None:
        path = device.source_file
        if said == f"Could not open '{path}': No such file or directory":
            return image_is_missing(path)
    return None


async def _create(life: Life, device: Device, created: list[Backend]) -> None:
    if isinstance(device, Watchdog):
        await life.execute("watchdog-set-action", {"action": device.action})
    if needed := backends(device):
        await _create_backends(life, needed, created)
    properties = frontend(device)
    if properties is not None:  # a forwarded address is a backend and no device
        await life.execute("device_add", properties)
    if isinstance(device, Disk) and device.iotune is not None:  # known to make sense to QEMU
        await apply_iotune(life, device, device.iotune)
    if isinstance(device, Interface) and not device.is_link_up:
        await life.execute("set_link", {"name": device.alias, "up": False})


async def _create_backends(life: Life, needed: Sequence[Backend], created: list[Backend]) -> None:
    """All are asked for at once: what stands on something that fails to be made fails as well."""
    answers = await life.execute_each([(one.add, one.arguments) for one in needed])
    for backend, answer in zip(needed, answers, strict=True):
        if isinstance(answer, outcome.Value):
            created.append(backend)
    for answer in answers:
        answer.unwrap()


async def _delete(life: Life, created: list[Backend]) -> None:
    for backend in reversed(created):
        with contextlib.suppress(MonitorError, OutcomeUnknownError):  # the first error counts
            await life.execute(backend.delete, backend.identity)
