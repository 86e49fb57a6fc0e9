"""The host's PCI devices on loan: activeDevs and inactiveDevs, and the moves between them.

libvirt's order (``virHostdevPreparePCIDevices``, ``virHostdevReAttachPCIDevices``), step by step:

1. All devices of one call are checked before one is touched.
2. The settings of virtual functions are saved, while their own driver still has them.
3. Managed devices are taken from the host; unmanaged ones must have been, or be on a stub driver.
4. Virtual functions get the settings that the domain wants.
5. Inactive becomes active.

Back again in reverse: active becomes inactive, settings are restored, managed devices go to their
driver, and devices that have left the machine leave the lists. A failure on the way there undoes in
reverse what was done. libvirt resets devices in both directions, which does nothing to a device on
vfio-pci: the kernel resets it when QEMU opens and closes it.

The callers hold the lock of `HostDeviceManager`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import TypeAlias

import attrs
import trio

from pyvirt_trio.abc import Host
from pyvirt_trio.driver.hostdev_notes import HostdevNotes
from pyvirt_trio.errors import (
    DefinitionError,
    DeviceInUseError,
    ErrorCode,
    HostError,
    InvalidStateError,
    NotFoundError,
    PyvirtError,
)
from pyvirt_trio.host.pci import VFIO_PCI, PciBus
from pyvirt_trio.host.safeguards import why_not_rebind
from pyvirt_trio.host.sriov import (
    VirtualFunction,
    find_virtual_function,
    read_settings,
    write_settings,
)
from pyvirt_trio.models.addresses import PciAddress
from pyvirt_trio.models.devices import HostDevice
from pyvirt_trio.models.host_devices import HostInterface
from pyvirt_trio.models.nodedev import VfSettings
from pyvirt_trio.models.value import Value

STUB_DRIVERS = frozenset({VFIO_PCI, "pciback"})
"""Drivers that only hold a device for somebody else, as libvirt counts them."""

PciHostDevice: TypeAlias = HostDevice | HostInterface
_Undo: TypeAlias = list[Callable[[], Awaitable[None]]]


@attrs.frozen(eq=False, repr=False)
class Owner(Value):
    """To whom a device is assigned: one life of one domain."""

    domain: str
    life: int


@attrs.frozen(eq=False, repr=False)
class Loan(Value):
    """An active device, as it was asked for, and its owner."""

    owner: Owner
    device: PciHostDevice


class PciLoans:
    """The two lists of one host."""

    def __init__(self, host: Host, notes: HostdevNotes) -> None:
        self.bus = PciBus(host)
        self.active: dict[PciAddress, Loan] = {}
        self.inactive: dict[PciAddress, None] = {}
        self._host = host
        self._notes = notes

    # -- node devices -----------------------------------------------------------------------------

    def require_unassigned(self, address: PciAddress) -> None:
        """Refuse what is not for a device that a domain has.

        Raises:
            DeviceInUseError: (55) A domain has it.
        """
        loan = self.active.get(address)
        if loan is not None:
            raise DeviceInUseError(
                f"PCI device {address} is in use by driver QEMU, domain {loan.owner.domain}"
            )

    async def take(self, address: PciAddress, *, force: bool = False) -> None:
        """Move a device from the host's driver to vfio-pci, and to the inactive list.

        Args:
            address: The device.
            force: Also when the machine needs it to live.

        Raises:
            InvalidStateError: The machine needs it to live.
            NotFoundError, HostError: As for `PciBus.bind_vfio`.

        Cancellation:
            It is on one of the two drivers, and the lists say which.
        """
        await self._forget_other(address)
        if await self.bus.driver(address) != VFIO_PCI and not force:
            reason = await why_not_rebind(self._host, address)
            if reason is not None:
                raise InvalidStateError(f"PCI device {address} stays with the host: {reason}")
        had_interface = await self.bus.has_interface(address)
        with trio.CancelScope(shield=True):  # the device, the notes and the list agree
            await self._notes.take(address, had_interface=had_interface)
            try:
                await self.bus.bind_vfio(address)
            except PyvirtError as error:
                await self._forget_if_host_has(address, error)
                raise
            self.inactive[address] = None

    async def give_back(self, address: PciAddress, *, force: bool = False) -> None:
        """Let the host's own driver have a device; then it is in no list.

        Without ``force`` a device that this library did not take from the host is not touched.

        Raises:
            InvalidStateError: It has no driver of the host, and was not taken from one.
            NotFoundError: (38) It is gone, and now from the lists too.
            HostError: sysfs refused; the device stays in the inactive list.

        Cancellation:
            As for `take`.
        """
        try:
            await self.bus.require_present(address)
        except NotFoundError:
            await self._drop(address)
            raise
        holder = await self.bus.driver(address)
        if holder in (*STUB_DRIVERS, None):
            if address not in self._notes.taken and not force:
                raise InvalidStateError(
                    f"PCI device {address} was not detached from the host here and stays "
                    + (f"with {holder}" if holder else "without a driver")
                )
            await self._to_host(address)
        else:
            with trio.CancelScope(shield=True):
                if force:
                    await self.bus.probe_again(address)
                await self._drop(address)

    def adopt(self, owner: Owner, devices: Iterable[PciHostDevice]) -> None:
        """Count devices as active that a QEMU has which outlived its manager."""
        for device in devices:
            self.inactive.pop(device.source, None)
            self.active[device.source] = Loan(owner, device)

    async def rebuild(self) -> None:
        """After a restart: what was taken, and is on a stub driver, is inactive unless active.

        Virtual functions that no life has get their old settings again.

        Raises:
            HostError: sysfs cannot be read, the card refuses, or the notes cannot be written.
        """
        for address in list(self._notes.taken):
            if not await self.bus.is_present(address):
                await self._notes.give_back(address)
            elif await self.bus.driver(address) not in STUB_DRIVERS:
                await self._complete(address)
            elif address not in self.active:
                self.inactive[address] = None
        for address in list(self._notes.settings):
            if address not in self.active:
                await self._restore_settings(address)

    async def _complete(self, address: PciAddress) -> None:
        """A device that was taken is on its way: it has not left its driver yet, or is almost back.

        Then its override still names vfio-pci, or it has no driver. Otherwise others have moved it.
        """
        is_between = await self.bus.driver(address) is None
        if is_between or await self.bus.override(address) == VFIO_PCI:
            await self.bus.return_to_host_driver(address)
        await self._notes.give_back(address)

    # -- domains ----------------------------------------------------------------------------------

    async def prepare(self, owner: Owner, devices: Sequence[PciHostDevice]) -> None:
        """Assign devices to a life; all of them, or none and nothing has changed."""
        undo: _Undo = []
        try:
            functions = await self._check(owner, devices)
            for address, function in functions.items():
                await self._save_settings(address, function, undo)
            for device in devices:
                await self._make_ready(device, undo)
            for device in devices:
                if isinstance(device, HostInterface):
                    await self._set_settings(device, functions[device.source], undo)
        except BaseException as error:
            await _undo_all(undo, error)
            raise
        for device in devices:
            del self.inactive[device.source]
            self.active[device.source] = Loan(owner, device)

    async def release(self, owner: Owner, wanted: Iterable[PciAddress] | None) -> list[HostError]:
        """Take devices back from a life, all it has when ``wanted`` is ``None``.

        Returns:
            What went wrong; each such device stays in the inactive list.
        """
        mine = [loan.device for loan in self.active.values() if loan.owner == owner]
        if wanted is not None:
            addresses = set(wanted)
            mine = [device for device in mine if device.source in addresses]
        if not mine:
            return []
        for device in mine:
            del self.active[device.source]
            self.inactive[device.source] = None
        failures: list[HostError] = []
        managed = [device for device in mine if device.is_managed]
        for step, those in ((self._restore_settings, mine), (self._give_back, managed)):
            for device in those:
                try:
                    await step(device.source)
                except HostError as error:
                    failures.append(error)
        await self._drop_vanished()
        return failures

    # -- the steps of `prepare` -------------------------------------------------------------------

    async def _check(
        self, owner: Owner, devices: Sequence[PciHostDevice]
    ) -> dict[PciAddress, VirtualFunction]:
        """Step 1; finds the cards of the functions that are passed as interfaces."""
        if not await self.bus.vfio_is_supported():
            raise _no_support(devices[0])
        functions: dict[PciAddress, VirtualFunction] = {}
        for device in devices:
            await self.bus.require_present(device.source)
            if await self.bus.is_bridge(device.source):
                raise InvalidStateError(
                    "Non-endpoint PCI devices cannot be assigned to guests",
                    code=ErrorCode.INTERNAL_ERROR,
                )
            await self._require_group_free(device.source, owner)
            if isinstance(device, HostInterface):
                function = await find_virtual_function(self._host, device.source)
                if function is None:
                    raise DefinitionError(
                        "Interface type hostdev is currently supported on SR-IOV Virtual "
                        "Functions only",
                        code=ErrorCode.CONFIG_UNSUPPORTED,
                    )
                functions[device.source] = function
        return functions

    async def _require_group_free(self, address: PciAddress, owner: Owner) -> None:
        """The IOMMU cannot tell the members of a group apart, so they go to one domain or none.

        Where a switch between two devices lacks ACS, the kernel puts them into one group; a device
        without a group is the one case in which libvirt's own check for ACS could still refuse.
        """
        self.require_unassigned(address)
        group = await self.bus.iommu_group(address)
        if group is None:
            raise InvalidStateError(f"PCI device {address} is not assignable")
        for member in await self.bus.group_members(group):
            loan = self.active.get(member)
            if loan is not None and loan.owner != owner:
                self.require_unassigned(member)

    async def _save_settings(
        self, address: PciAddress, function: VirtualFunction, undo: _Undo
    ) -> None:
        await self._notes.remember(address, await read_settings(self._host, function))
        undo.append(partial(self._notes.forget, address))

    async def _make_ready(self, device: PciHostDevice, undo: _Undo) -> None:
        address = device.source
        await self._forget_other(address)
        was_inactive = address in self.inactive
        if device.is_managed:
            await self.take(address)
            if not was_inactive:
                undo.append(partial(self._to_host, address))
        elif await self.bus.driver(address) not in STUB_DRIVERS:
            raise InvalidStateError(
                f"Unmanaged PCI device {address} must be manually detached from the host"
            )
        else:
            self.inactive[address] = None

    async def _set_settings(
        self, device: HostInterface, function: VirtualFunction, undo: _Undo
    ) -> None:
        assert device.mac is not None, "placement has chosen one"
        before = self._notes.settings[device.source]
        await write_settings(self._host, function, VfSettings(device.mac, device.vlan or 0))
        undo.append(partial(write_settings, self._host, function, before))

    # -- the steps of `release` -------------------------------------------------------------------

    async def _restore_settings(self, address: PciAddress) -> None:
        before = self._notes.settings.get(address)
        if before is not None:
            function = await find_virtual_function(self._host, address)
            if function is not None:
                await write_settings(self._host, function, before)
            await self._notes.forget(address)

    async def _give_back(self, address: PciAddress) -> None:
        try:
            await self._to_host(address)
        except NotFoundError:  # pulled out of the machine: nothing to give back
            await self._drop(address)

    async def _drop_vanished(self) -> None:
        present = set(await self.bus.addresses())
        for address in [*self.inactive, *self.active]:
            if address not in present:
                await self._drop(address)

    # -- both -------------------------------------------------------------------------------------

    async def _to_host(self, address: PciAddress) -> None:
        with trio.CancelScope(shield=True):
            await self.bus.return_to_host_driver(address)
            if self._notes.taken.get(address, False):
                await self.bus.await_interface(address)
            await self._drop(address)

    async def _drop(self, address: PciAddress) -> None:
        self.inactive.pop(address, None)
        self.active.pop(address, None)
        await self._notes.give_back(address)

    async def _forget_other(self, address: PciAddress) -> None:
        """What a driver of the host has is not what was taken from it, and is in no list.

        Somebody has moved it behind our back; or that one has left the machine, and this is another
        that has come to its place.
        """
        is_listed = address in self.inactive
        if is_listed and await self.bus.driver(address) not in (*STUB_DRIVERS, None):
            await self._drop(address)

    async def _forget_if_host_has(self, address: PciAddress, reason: PyvirtError) -> None:
        """A device that could not be taken is the host's, unless it got stuck half-way."""
        try:
            if await self.bus.driver(address) not in (*STUB_DRIVERS, None):
                await self._notes.give_back(address)
        except (HostError, NotFoundError) as error:
            reason.add_note(f"and nobody knows who has it now: {error}")


def _no_support(device: PciHostDevice) -> DefinitionError:
    """libvirt's words when the host cannot do what the definition asks for."""
    asked = device.driver if isinstance(device, HostDevice) else None
    what = {"vfio": "VFIO PCI passthrough", "kvm": "legacy PCI passthrough"}.get(
        asked or "", "passthrough of host PCI devices"
    )
    return DefinitionError(f"host doesn't support {what}", code=ErrorCode.CONFIG_UNSUPPORTED)


async def _undo_all(undo: _Undo, reason: BaseException) -> None:
    with trio.CancelScope(shield=True):
        for step in reversed(undo):
            try:
                await step()
            except PyvirtError as error:  # the first failure is the one to report
                reason.add_note(f"and while undoing: {error}")
