"""What QEMU says about the memory of a running domain: where it is, and how much the guest uses."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from pyvirt_trio.driver.memory_devices import KIB
from pyvirt_trio.errors import MonitorError, OutcomeUnknownError
from pyvirt_trio.models.addresses import DimmAddress
from pyvirt_trio.models.devices import Device
from pyvirt_trio.models.events import MemoryDeviceSizeChanged
from pyvirt_trio.models.memory import MemoryDevice, VirtioMemory

if TYPE_CHECKING:
    from pyvirt_trio.driver.life import Life


async def as_reported(life: Life, device: Device) -> Device:
    """``device`` with what only QEMU knows of it (``qemuDomainUpdateMemoryDeviceInfo``).

    QEMU chooses where a module begins in the guest's address space, and knows how much of a
    virtio-mem device the guest uses. Anything but memory is returned as it is; so is memory that
    QEMU, for whatever reason, says nothing about.
    """
    if not isinstance(device, MemoryDevice):
        return device
    with contextlib.suppress(MonitorError, OutcomeUnknownError):
        for report in await _reports(life):
            if report["data"].get("id") == device.alias:
                return _with_report(device, report["data"])
    return device


async def _reports(life: Life) -> list[dict[str, Any]]:
    """What QEMU says of its memory, so recent that no event has overtaken it.

    An event that is read between the reply and the task that waits for it would be lost: the record
    it is about does not exist yet. Then the reply is old, and QEMU is asked again.
    """
    while True:
        changes = life.memory_changes
        reports: list[dict[str, Any]] = await life.execute("query-memory-devices")
        if life.memory_changes == changes:
            return reports


async def report_memory(life: Life) -> None:
    """The live definition says of its memory what QEMU says; for a domain that is starting."""
    for device in life.definition.devices:
        reported = await as_reported(life, device)
        if reported is not device:
            with life.domain.journal.commit() as commit:
                commit.update(life.domain, live=life.definition.replacing(device, reported))


async def learn(life: Life) -> None:
    """Announce of which virtio-mem devices the guest has come to use another part.

    For a domain whose QEMU has told nobody of it.

    Raises:
        InvalidStateError, MonitorError: QEMU has gone.
    """
    if not any(isinstance(device, VirtioMemory) for device in life.definition.devices):
        return
    for report in await _reports(life):
        device = life.definition.device(report["data"].get("id", ""))
        size = report["data"].get("size")
        if isinstance(device, VirtioMemory) and device.current_kib != size // KIB:
            assert device.alias is not None, "a device in a life has an alias"
            size_changed(life, device.alias, size)


def _with_report(device: MemoryDevice, data: Mapping[str, Any]) -> MemoryDevice:
    if isinstance(device, VirtioMemory):
        return attrs.evolve(device, current_kib=data["size"] // KIB)
    if isinstance(device.address, DimmAddress):
        address = DimmAddress(slot=data["slot"], base=data["addr"])
        return attrs.evolve(device, address=address)
    return device


def size_changed(life: Life, alias: str, size_bytes: int) -> None:
    """QEMU's MEMORY_DEVICE_SIZE_CHANGE: the guest uses another part of a virtio-mem device."""
    life.memory_changes += 1
    live = life.domain.view.live
    device = live.device(alias) if live is not None else None
    if live is None or not isinstance(device, VirtioMemory):
        return  # it is on its way in, and the reply to its query will tell
    changed = attrs.evolve(device, current_kib=size_bytes // KIB)
    with life.domain.journal.commit() as commit:
        commit.update(life.domain, live=live.replacing(device, changed))
        commit.announce(
            MemoryDeviceSizeChanged(**life.stamp, alias=alias, size_kib=size_bytes // KIB)
        )
