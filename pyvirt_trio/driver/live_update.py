"""Changing a device of a running domain without taking it out (``qemuDomainUpdateDeviceLive``).

What can be changed: the medium of a CD-ROM drive, what is written down of a disk for a start and
for snapshots, whether a network card's link is up, how much of a virtio-mem device the guest is
asked to use, and the password that clients of the screen must know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import trio

from pyvirt_trio.driver.backends import Backend, backends
from pyvirt_trio.driver.fixed_fields import fixed_field_of_disk, fixed_field_of_interface
from pyvirt_trio.driver.graphics import has_new_password, merged_graphics, set_password
from pyvirt_trio.driver.memory_devices import KIB
from pyvirt_trio.driver.missing_images import require_image
from pyvirt_trio.driver.throttling import drive_path
from pyvirt_trio.errors import CommandFailedError, DefinitionError, ErrorCode
from pyvirt_trio.models.devices import Device, Disk, Interface
from pyvirt_trio.models.display import Graphics
from pyvirt_trio.models.memory import MemoryDevice, VirtioMemory
from pyvirt_trio.xml.devices import address_kind, device_element

if TYPE_CHECKING:
    from pyvirt_trio.driver.life import Life


def replaced(device: Device, wanted: Device) -> Device:
    """What a persistent definition has in the place of ``device``: all of it may differ.

    What goes to another bus has yet to be placed there.

    Raises:
        DefinitionError: Nothing of such a device can be changed.
    """
    if not isinstance(device, Disk | Interface | Graphics | MemoryDevice):
        return merged(device, wanted)
    if isinstance(wanted, VirtioMemory):
        wanted = attrs.evolve(wanted, current_kib=None)
    if wanted.address is None and address_kind(wanted) is address_kind(device):
        wanted = attrs.evolve(
            wanted, address=device.address, is_multifunction=device.is_multifunction
        )
    wanted = attrs.evolve(wanted, alias=device.alias)
    if isinstance(device, Interface) and isinstance(wanted, Interface):
        wanted = attrs.evolve(wanted, mac=wanted.mac or device.mac)
    return wanted


def merged(device: Device, wanted: Device) -> Device:
    """``device`` with what may be changed of it taken from ``wanted``.

    Raises:
        DefinitionError: ``wanted`` differs in something else (``OPERATION_UNSUPPORTED``).
    """
    changed: Device
    if isinstance(device, Graphics) and isinstance(wanted, Graphics):
        return merged_graphics(device, wanted)
    if isinstance(device, Disk) and isinstance(wanted, Disk) and device.is_cdrom:
        changed = attrs.evolve(
            device,
            source_file=wanted.source_file,
            image_format=wanted.image_format,
            startup_policy=wanted.startup_policy,
            snapshot=wanted.snapshot,
        )
    elif isinstance(device, Interface) and isinstance(wanted, Interface):
        changed = attrs.evolve(
            device, is_link_up=wanted.is_link_up, trusts_filters=wanted.trusts_filters
        )
        wanted = attrs.evolve(wanted, mac=wanted.mac or device.mac)
    elif isinstance(device, VirtioMemory) and isinstance(wanted, VirtioMemory):
        changed = attrs.evolve(device, requested_kib=wanted.requested_kib)
        wanted = attrs.evolve(wanted, current_kib=device.current_kib)
    elif isinstance(device, MemoryDevice):
        tag = device_element(device).attributes["model"]
        raise _unsupported(f"cannot modify memory of model '{tag}'")
    elif isinstance(device, Disk) and isinstance(wanted, Disk):
        changed = attrs.evolve(
            device, startup_policy=wanted.startup_policy, snapshot=wanted.snapshot
        )
    else:
        changed = device
    wanted = attrs.evolve(
        wanted,
        alias=changed.alias,
        address=changed.address,
        is_multifunction=changed.is_multifunction,
    )
    if wanted != changed:
        raise _fixed_field(changed, wanted)
    return changed


def _fixed_field(device: Device, wanted: Device) -> DefinitionError:
    """What libvirt says of what differs and cannot be changed."""
    if isinstance(device, Interface) and isinstance(wanted, Interface):
        return _unsupported(fixed_field_of_interface(device, wanted))
    if isinstance(device, Disk) and isinstance(wanted, Disk):
        field = fixed_field_of_disk(device, wanted)
        if field is None and device.source_file != wanted.source_file:
            return DefinitionError(
                "disk source can be changed only in removable drives",
                code=ErrorCode.CONFIG_UNSUPPORTED,
            )
        return _unsupported(field or "only the medium of a drive can be changed")
    return _unsupported("only the requested size of virtio-mem can be changed")


async def update(life: Life, device: Device, wanted: Device) -> Device:
    """Make ``device`` of the running domain what ``wanted`` says; the caller holds the job.

    Returns:
        The device as it is in the live definition.

    Raises:
        DefinitionError: More differs than can be changed.
        HostError: (38) The medium is not there.
        CommandFailedError: QEMU refused. A drive has its old medium again, if QEMU let it have
            it, or else none; the definition says which.

    Cancellation:
        What has been sent to QEMU is completed first.
    """
    changed = merged(device, wanted)
    with trio.CancelScope(shield=True):  # bounded: QEMU answers these without the guest
        if isinstance(device, Interface) and isinstance(changed, Interface):
            if changed.is_link_up is not device.is_link_up:
                await life.execute("set_link", {"name": device.alias, "up": changed.is_link_up})
        elif isinstance(changed, VirtioMemory):
            await _request_size(life, changed)
            # Meanwhile the guest may have begun, and the record tells how far it is.
            present = life.definition.device(device.alias or "")
            assert isinstance(present, VirtioMemory), "the job keeps it from being taken out"
            changed = attrs.evolve(present, requested_kib=changed.requested_kib)
        elif isinstance(device, Graphics) and isinstance(changed, Graphics):
            if has_new_password(device, changed):
                await set_password(life, changed)
        elif isinstance(device, Disk) and isinstance(changed, Disk) and _has_other(device, changed):
            await require_image(life, changed)
            await _change_medium(life, device, changed)
        _record(life, device, changed)
    return changed


def _has_other(drive: Disk, changed: Disk) -> bool:
    """Whether the medium is another one, or is read in another way."""
    return (drive.source_file, drive.image_format) != (changed.source_file, changed.image_format)


async def _request_size(life: Life, memory: VirtioMemory) -> None:
    """libvirt: ``qemuMonitorChangeMemoryRequestedSize``; the guest follows as well as it can."""
    await life.execute(
        "qom-set",
        {
            "path": f"/machine/peripheral/{memory.alias}",
            "property": "requested-size",
            "value": memory.requested_kib * KIB,
        },
    )


async def _change_medium(life: Life, drive: Disk, changed: Disk) -> None:
    """libvirt's order, except that the old medium goes before the new one comes: one set of names.

    ``qemuDomainChangeMediaBlockdev``: open the tray, take out, put in, close.
    """
    if drive.bus == "usb":  # it has no tray, and QEMU says so
        await life.execute("blockdev-remove-medium", {"id": drive_path(drive)})
    await life.execute("blockdev-open-tray", {"id": drive.alias, "force": False})
    empty = attrs.evolve(drive, source_file=None)
    await life.execute("blockdev-remove-medium", {"id": drive.alias})
    if drive.source_file is not None:
        for node in reversed(backends(drive)):
            await life.execute(node.delete, node.identity)
        _record(life, drive, empty)
    try:
        await _insert(life, changed)
    except CommandFailedError:
        await _insert_again(life, drive, empty)
        raise
    finally:
        await life.execute("blockdev-close-tray", {"id": drive.alias})


async def _insert(life: Life, drive: Disk) -> None:
    created: list[Backend] = []
    try:
        for node in backends(drive):
            await life.execute(node.add, node.arguments)
            created.append(node)
        if created:
            name = created[-1].identity["node-name"]
            await life.execute("blockdev-insert-medium", {"id": drive.alias, "node-name": name})
    except CommandFailedError:
        for node in reversed(created):
            await life.execute(node.delete, node.identity)
        raise


async def _insert_again(life: Life, drive: Disk, empty: Disk) -> None:
    """Give a drive its old medium back; without it the drive stays empty, and is said to be."""
    try:
        await _insert(life, drive)
    except CommandFailedError:
        return
    _record(life, empty, drive)


def _record(life: Life, old: Device, new: Device) -> None:
    """The live definition has ``new`` in the place of what has the alias of ``old``."""
    live = life.definition
    present = old if isinstance(old, Graphics) else live.device(old.alias or "")
    if present is not None and present != new:
        with life.domain.journal.commit() as commit:
            commit.update(life.domain, live=live.replacing(present, new))


def _unsupported(message: str) -> DefinitionError:
    return DefinitionError(message, code=ErrorCode.OPERATION_UNSUPPORTED)
