"""The host's PCI devices on loan: activeDevs and inactiveDevs, shared by all domains.

libvirt keeps two lists (``virHostdevManager``). *Inactive* devices are bound to vfio-pci and belong
to nobody; *active* ones are assigned to a domain. A device is in at most one list, and a device in
no list belongs to the host.

::

              detach                  prepare
    host  ─────────────▶  inactive  ───────────▶  active
    driver ◀─────────────  (vfio)  ◀───────────  (a domain)
              reattach                release

A managed host device makes the whole trip in each direction by itself. One lock orders the trips;
questions (`active`, `inactive`, `owner`) never wait for it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

import attrs
import trio

from pyvirt_trio.abc import Host
from pyvirt_trio.errors import (
    DeviceInUseError,
    ErrorCode,
    HostError,
    InvalidStateError,
    NotFoundError,
)
from pyvirt_trio.host.pci import PciBus
from pyvirt_trio.host.safeguards import why_not_rebind
from pyvirt_trio.models.addresses import PciAddress
from pyvirt_trio.models.devices import HostDevice

STUB_DRIVERS = frozenset({"vfio-pci", "pciback"})
"""Drivers that only hold a device for somebody else, as libvirt counts them."""


@attrs.frozen
class Owner:
    """To whom a device is assigned: one life of one domain."""

    domain: str
    life: int


@attrs.frozen
class Loan:
    """An active device, as it was asked for, and its owner."""

    owner: Owner
    device: HostDevice


class HostDeviceManager:
    """The lists of one host and the moves between them."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._bus = PciBus(host)
        self._lock = trio.Lock()
        self._active: dict[PciAddress, Loan] = {}
        self._inactive: dict[PciAddress, None] = {}

    @property
    def active(self) -> tuple[PciAddress, ...]:
        """Addresses of the devices assigned to domains (activeDevs), sorted."""
        return tuple(sorted(self._active))

    @property
    def inactive(self) -> tuple[PciAddress, ...]:
        """Addresses of the devices on vfio-pci that belong to nobody (inactiveDevs), sorted."""
        return tuple(sorted(self._inactive))

    def owner(self, address: PciAddress) -> Owner | None:
        """Who has the device, or ``None``."""
        loan = self._active.get(address)
        return loan.owner if loan else None

    async def detach(self, address: PciAddress) -> None:
        """Move a device from the host's driver to vfio-pci (``virNodeDeviceDetachFlags``).

        Afterwards it is in the inactive list. Doing it twice is doing it once.

        Raises:
            NotFoundError: There is no such device.
            DeviceInUseError: It is assigned to a domain.
            InvalidStateError: The host cannot pass devices through, or the machine needs the device
                to live (its default route or a mounted file system depends on it).
            HostError: sysfs refused; the device is back on the host's driver if that worked.

        Cancellation:
            The device is on one of the two drivers, and the lists say which.
        """
        async with self._lock:
            await self._to_inactive(address)

    async def reattach(self, address: PciAddress) -> None:
        """Give a device back to the host's driver (``virNodeDeviceReAttach``).

        Afterwards it is in no list. A device that the host's own driver holds is left alone:
        unlike libvirt, nothing is unbound and probed again, because that takes a network card
        off the network for nothing.

        Raises:
            NotFoundError: There is no such device.
            DeviceInUseError: It is assigned to a domain.
            HostError: sysfs refused; the device stays in the inactive list.

        Cancellation:
            As for `detach`.
        """
        async with self._lock:
            self._require_unassigned(address)
            if await self._bus.driver(address) in (*STUB_DRIVERS, None):
                await self._bus.return_to_host_driver(address)
            self._inactive.pop(address, None)

    async def prepare(self, owner: Owner, devices: Iterable[HostDevice]) -> None:
        """Assign devices to one life of a domain (``qemuHostdevPreparePCIDevices``).

        Afterwards all are active and on vfio-pci. On failure or cancellation none is, and managed
        devices that were moved are given back.

        Raises:
            DeviceInUseError: A device, or another one of its IOMMU group, is assigned elsewhere.
            InvalidStateError: An unmanaged device has not been detached from the host.
            NotFoundError, HostError: As for `detach`.
        """
        devices = list(devices)
        if not devices:
            return
        async with self._lock:
            moved: list[HostDevice] = []
            try:
                for device in devices:
                    await self._require_group_free(device.source, owner)
                    moved.append(device)
                    await self._make_ready(device)
            except BaseException:
                with trio.CancelScope(shield=True):
                    await self._undo(moved)
                raise
            for device in moved:
                self._inactive.pop(device.source, None)
                self._active[device.source] = Loan(owner, device)

    async def release(self, owner: Owner, devices: Iterable[HostDevice] | None = None) -> None:
        """Take devices back from a life (``qemuHostdevReAttachPCIDevices``); QEMU let go of them.

        Afterwards none is active: managed ones belong to the host again, unmanaged ones are
        inactive. Devices that are not this life's are left alone.

        Args:
            owner: The life that had them.
            devices: Which; all it has when ``None``.

        Raises:
            HostError: A managed device could not be given back; it stays in the inactive list.

        Cancellation:
            None: the move is completed first.
        """
        with trio.CancelScope(shield=True):
            async with self._lock:
                mine = [loan.device for loan in self._active.values() if loan.owner == owner]
                if devices is not None:
                    wanted = {device.source for device in devices}
                    mine = [device for device in mine if device.source in wanted]
                failures = [error for device in mine if (error := await self._take_back(device))]
                if failures:
                    raise failures[0]

    async def _take_back(self, device: HostDevice) -> HostError | None:
        del self._active[device.source]
        self._inactive[device.source] = None
        if device.is_managed:
            try:
                await self._to_host(device.source)
            except HostError as error:
                return error
        return None

    async def _make_ready(self, device: HostDevice) -> None:
        if device.is_managed:
            await self._to_inactive(device.source)
        elif device.source not in self._inactive:
            if await self._bus.driver(device.source) not in STUB_DRIVERS:
                raise InvalidStateError(
                    f"Unmanaged PCI device {device.source} must be manually detached from the host"
                )
            self._inactive[device.source] = None

    async def _undo(self, devices: list[HostDevice]) -> None:
        for device in reversed(devices):
            if device.is_managed and device.source in self._inactive:
                with contextlib.suppress(HostError):  # the first failure is the one to report
                    await self._to_host(device.source)

    async def _to_inactive(self, address: PciAddress) -> None:
        if not await self._bus.vfio_is_supported():
            raise InvalidStateError(
                "VFIO device assignment is currently not supported on this system",
                code=ErrorCode.ARGUMENT_UNSUPPORTED,
            )
        self._require_unassigned(address)
        if await self._bus.driver(address) != "vfio-pci":
            reason = await why_not_rebind(self._host, address)
            if reason is not None:
                raise InvalidStateError(f"PCI device {address} stays with the host: {reason}")
            await self._bus.bind_vfio(address)
        self._inactive[address] = None

    async def _to_host(self, address: PciAddress) -> None:
        with contextlib.suppress(NotFoundError):  # pulled out of the machine: nothing to give back
            await self._bus.return_to_host_driver(address)
        self._inactive.pop(address, None)

    def _require_unassigned(self, address: PciAddress) -> None:
        owner = self.owner(address)
        if owner is not None:
            raise DeviceInUseError(
                f"PCI device {address} is in use by driver QEMU, domain {owner.domain}"
            )

    async def _require_group_free(self, address: PciAddress, owner: Owner) -> None:
        self._require_unassigned(address)
        group = await self._bus.iommu_group(address)
        members = [] if group is None else await self._bus.group_members(group)
        for member in members:
            holder = self.owner(member)
            if holder is not None and holder != owner:
                raise DeviceInUseError(
                    f"PCI device {member} of the same IOMMU group as {address} is in use by "
                    f"driver QEMU, domain {holder.domain}"
                )
