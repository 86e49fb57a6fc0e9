"""The host's devices on loan, of all kinds, shared by all domains (``virHostdevManager``).

libvirt keeps two lists of PCI devices. *Inactive* devices are bound to vfio-pci and belong to
nobody; *active* ones are assigned to a domain. A device is in at most one list, and a device in no
list belongs to the host.

::

              detach                  prepare
    host  ─────────────▶  inactive  ───────────▶  active
    driver ◀─────────────  (vfio)  ◀───────────  (a domain)
              reattach                release

A managed host device makes the whole trip in each direction by itself. Of USB, SCSI and mediated
devices there is one list each, of those that are active. One lock orders the trips; questions
(`active`, `inactive`, `owner`) never wait for it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

import attrs
import trio

from pyvirt_trio.abc import Host
from pyvirt_trio.driver.hostdev_notes import HostdevNotes
from pyvirt_trio.driver.other_loans import OtherLoans
from pyvirt_trio.driver.pci_loans import STUB_DRIVERS, PciLoans
from pyvirt_trio.driver.pci_loans import Owner as Owner
from pyvirt_trio.errors import DefinitionError, ErrorCode, InvalidStateError, NotFoundError
from pyvirt_trio.host.pci_reset import reset_device
from pyvirt_trio.host.safeguards import why_not_rebind
from pyvirt_trio.models.addresses import PciAddress
from pyvirt_trio.models.devices import Device, HostDevice
from pyvirt_trio.models.host_devices import HostInterface


class HostDeviceManager:
    """The lists of one host and the moves between them.

    Args:
        host: The machine.
        notes_path: A file of its own, for what must be known after a restart.
    """

    def __init__(self, host: Host, notes_path: str) -> None:
        self._host = host
        self._notes = HostdevNotes(host, notes_path)
        self._pci = PciLoans(host, self._notes)
        self._others = OtherLoans(host)
        self._lock = trio.Lock()

    @property
    def active(self) -> tuple[PciAddress, ...]:
        """Addresses of the PCI devices assigned to domains (activeDevs), sorted."""
        return tuple(sorted(self._pci.active))

    @property
    def inactive(self) -> tuple[PciAddress, ...]:
        """Addresses of the devices on vfio-pci that belong to nobody (inactiveDevs), sorted."""
        return tuple(sorted(self._pci.inactive))

    @property
    def active_others(self) -> tuple[str, ...]:
        """Devices of other kinds that are assigned to domains, as libvirt names them, sorted."""
        return self._others.active

    def owner(self, address: PciAddress) -> Owner | None:
        """Who has the PCI device, or ``None``."""
        loan = self._pci.active.get(address)
        return loan.owner if loan else None

    # -- node devices -----------------------------------------------------------------------------

    async def detach(
        self, address: PciAddress, *, driver: str | None = None, force: bool = False
    ) -> None:
        """Move a device from the host's driver to vfio-pci (``virNodeDeviceDetachFlags``).

        Afterwards it is in the inactive list. Doing it twice is doing it once.

        Args:
            address: The device.
            driver: ``vfio`` or ``None``, which mean the same.
            force: Also when the machine's default route or a mounted file system depends on it.

        Raises:
            DefinitionError: (8, 74) Another driver is not for this.
            NotFoundError: (38) There is no such device.
            DeviceInUseError: (55) It is assigned to a domain.
            InvalidStateError: (74) The host cannot pass devices through; (1) it was assigned while
                this call waited; (55) the machine needs it to live.
            HostError: sysfs refused; the device is back on the host's driver if that worked.

        Cancellation:
            The device is on one of the two drivers, and the lists say which.
        """
        _require_vfio(driver)
        if not await self._pci.bus.vfio_is_supported():
            raise InvalidStateError(
                "VFIO device assignment is currently not supported on this system",
                code=ErrorCode.ARGUMENT_UNSUPPORTED,
            )
        await self._pci.bus.require_present(address)
        self._pci.require_unassigned(address)
        async with self._moving():
            self._require_still_unassigned(address, "detaching")
            await self._pci.take(address, force=force)

    async def reattach(self, address: PciAddress, *, force: bool = False) -> None:
        """Give a device back to the host's driver (``virNodeDeviceReAttach``).

        Afterwards it is in no list. A device that the host's own driver holds is left alone:
        unlike libvirt, nothing is unbound and probed again, because that takes a network card
        off the network for nothing.

        Args:
            address: The device.
            force: As libvirt does it: take the device from whatever driver has it and offer it to
                all, even if it was never detached from the host.

        Raises:
            NotFoundError: (38) There is no such device (any more); it is in no list.
            DeviceInUseError: (55) It is assigned to a domain.
            InvalidStateError: (1) It was assigned while this call waited; (55) it is on a stub
                driver, and was not brought there by this library.
            HostError: sysfs refused; the device stays in the inactive list.

        Cancellation:
            As for `detach`.
        """
        self._pci.require_unassigned(address)
        async with self._moving():
            self._require_still_unassigned(address, "reattaching")
            await self._pci.give_back(address, force=force)

    async def reset(self, address: PciAddress, *, force: bool = False) -> None:
        """A device is as it was when it was switched on (``virNodeDeviceReset``).

        See `reset_device` for the ways, and for devices that need none.

        Args:
            address: The device.
            force: Also when the host's own driver has it and the machine needs it to live.

        Raises:
            NotFoundError: (38) There is no such device.
            InvalidStateError: (1) It is a bridge, or active, or on a bus with active devices; (55)
                the machine needs it to live.
            HostError: (1, 38) There is no way to reset it, or the kernel refused.

        Cancellation:
            The device is reset or it is not.
        """
        await self._pci.bus.require_present(address)
        async with self._moving():
            if await self._pci.bus.is_bridge(address):
                force = True  # refused by what follows, in libvirt's words
            self._require_still_unassigned(address, "resetting")
            reason = None if force else await why_not_rebind(self._host, address)
            if reason is not None:
                raise InvalidStateError(f"PCI device {address} is not reset: {reason}")
            with trio.CancelScope(shield=True):
                await reset_device(self._pci.bus, address, self._pci.inactive.__contains__)

    # -- domains ----------------------------------------------------------------------------------

    async def prepare(self, owner: Owner, devices: Iterable[Device]) -> tuple[Device, ...]:
        """Assign host devices to a life of a domain (``qemuHostdevPrepareDomainDevices``).

        Afterwards all are active, and PCI devices are on vfio-pci. On failure or cancellation none
        is: what was done is undone in reverse, and managed devices are back with the host.

        Args:
            owner: The life that gets them.
            devices: Devices of a domain; those that are none of the host are left alone.

        Returns:
            The devices in their order, each with what has become known of it, such as the place of
            a USB device.

        Raises:
            DefinitionError: (67) The host cannot pass such devices through.
            DeviceInUseError: (55) A device, or another one of its IOMMU group, is assigned.
            InvalidStateError: (55) An unmanaged device has not been detached from the host, or the
                machine needs a managed one to live; (1) one is a bridge.
            NotFoundError, HostError: As for `detach`.
        """
        devices = tuple(devices)
        pci = [one for one in devices if isinstance(one, HostDevice | HostInterface)]
        others = self._others.of(devices)
        if not pci and not others:
            return devices
        async with self._moving():
            found = await self._others.prepare(owner, others)
            try:
                if pci:
                    await self._pci.prepare(owner, pci)
            except BaseException:
                self._others.release(owner, list(found.values()))
                raise
        return tuple(found.get(device) or _resolved(device) for device in devices)

    async def release(self, owner: Owner, devices: Iterable[Device] | None = None) -> None:
        """Take devices back from a life (``qemuHostdevReAttachDomainDevices``).

        Afterwards none is active: managed ones belong to the host again, unmanaged ones are
        inactive. Devices that are not this life's are left alone, and devices that have left the
        machine are in no list.

        Args:
            owner: The life that had them.
            devices: Which; all it has when ``None``.

        Raises:
            HostError: A managed device could not be given back; it stays in the inactive list.

        Cancellation:
            None: the move is completed first.
        """
        addresses = None
        if devices is not None:
            devices = list(devices)
            addresses = [d.source for d in devices if isinstance(d, HostDevice | HostInterface)]
        with trio.CancelScope(shield=True):
            async with self._moving():
                self._others.release(owner, devices)
                failures = await self._pci.release(owner, addresses)
                if failures:
                    raise failures[0]

    # -- after a restart --------------------------------------------------------------------------

    def adopt(self, owner: Owner, devices: Iterable[Device]) -> None:
        """Count the host devices among ``devices`` as active: a QEMU that outlived us has them."""
        devices = list(devices)
        self._pci.adopt(owner, [d for d in devices if isinstance(d, HostDevice | HostInterface)])
        self._others.adopt(owner, self._others.of(devices))

    async def adopt_begun(self, owner: Owner, devices: Iterable[Device]) -> None:
        """As `adopt`, for devices of which it is not known whether they were taken from the host.

        Those that the host's own driver has, or another domain, are left alone. Call it after the
        last `adopt`, and then `release`.

        Raises:
            HostError: sysfs cannot be read.
        """
        for device in devices:
            if isinstance(device, HostDevice | HostInterface):
                if device.source in self._pci.active:
                    continue
                try:
                    holder = await self._pci.bus.driver(device.source)
                except NotFoundError:
                    continue
                if holder not in (*STUB_DRIVERS, None):
                    continue
            self.adopt(owner, [device])

    async def load(self) -> None:
        """Know again which devices were taken from the host; call it after the last `adopt`.

        Virtual functions whose settings were changed for a life that never began get their old
        ones again.

        Raises:
            HostError: The notes cannot be read, or what they say cannot be looked after.
        """
        await self._notes.load()
        await self._pci.rebuild()

    # -- inside -----------------------------------------------------------------------------------

    @asynccontextmanager
    async def _moving(self) -> AsyncGenerator[None]:
        """Hold the lock; whoever finds it free goes on at once."""
        try:
            self._lock.acquire_nowait()
        except trio.WouldBlock:
            await self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()

    def _require_still_unassigned(self, address: PciAddress, doing: str) -> None:
        if address in self._pci.active:
            raise InvalidStateError(
                f"Not {doing} active device {address}", code=ErrorCode.INTERNAL_ERROR
            )


def _resolved(device: Device) -> Device:
    """``device`` with the way in which it goes to the guest: there is one."""
    return attrs.evolve(device, driver="vfio") if isinstance(device, HostDevice) else device


def _require_vfio(driver: str | None) -> None:
    if driver == "kvm":
        raise DefinitionError(
            "KVM device assignment is no longer supported on this system",
            code=ErrorCode.ARGUMENT_UNSUPPORTED,
        )
    if driver not in (None, "vfio"):
        raise DefinitionError(f"unknown driver name '{driver}'", code=ErrorCode.INVALID_ARG)
