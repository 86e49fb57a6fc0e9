"""PCI devices of the host, as sysfs shows them and lets them be moved between drivers.

A PCI device belongs to at most one kernel driver. To give it to a guest it must belong to
``vfio-pci``; to use it on the host, to its own driver. `PciBus` reads which, and moves it.

Theory of operation
    1. ``driver_override`` names the one driver that may take the device; writing a newline removes
       the restriction. It says who *may* take it and moves nothing.
    2. ``driver/unbind`` takes the device from its driver.
    3. ``drivers_probe`` offers the device to the drivers. The kernel does not report a driver that
       declines, so the ``driver`` link is read afterwards: it alone tells what happened.

The order override, unbind, probe is libvirt's (``virPCIDeviceBindWithDriverOverride``): a device is
never without a driver that may take it, even if this process ends between two steps, and the
next call completes what was begun.

`PciBus` knows nothing of domains: whether a device may be moved is its caller's question (see
`pyvirt_trio.host.safeguards` for the part that the host can answer).
"""

from __future__ import annotations

import errno
import os
import posixpath

import attrs
import trio

from pyvirt_trio.abc import Host
from pyvirt_trio.errors import DefinitionError, ErrorCode, HostError, NotFoundError
from pyvirt_trio.models import PciAddress, PciNodeDevice

VFIO_PCI = "vfio-pci"
"""The kernel driver that hands PCI devices to user space."""

MODPROBE = ("modprobe", "-b", VFIO_PCI)
"""Loads it, with what it depends on."""

NO_OVERRIDE = "\n"
"""Written to ``driver_override``, lets any driver take the device again."""

DEVICES = "/sys/bus/pci/devices"
"""Links to the folders of all PCI devices, by address."""

_DRIVERS = "/sys/bus/pci/drivers"
_PROBE = "/sys/bus/pci/drivers_probe"
_GROUPS = "/sys/kernel/iommu_groups"
_VFIO = "/dev/vfio/vfio"

INTERFACE_PATIENCE_S = 2.0
INTERFACE_PAUSE_S = 0.02
"""Most drivers of network cards make the interface before they return from their probe, some a
moment later: tens of milliseconds were seen of virtual functions."""

_BRIDGE_CLASSES = (0x0604, 0x0607)
"""PCI-to-PCI and CardBus bridges: the classes whose headers are not those of an end point."""

_GONE = (errno.ENOENT, errno.ENODEV)
"""sysfs of a device that has left: no such path, or (once opened) no such device."""


@attrs.frozen
class PciBus:
    """The PCI devices of one host."""

    host: Host

    async def addresses(self) -> list[PciAddress]:
        """Where there are PCI devices, in order; empty on a machine without PCI.

        Raises:
            HostError: sysfs cannot be read.
        """
        return await self._addresses_in(DEVICES)

    async def describe(self, address: PciAddress) -> PciNodeDevice:
        """What sysfs tells of one device at this moment.

        Raises:
            NotFoundError: (53) There is no such device, or it left while it was read.
            HostError: sysfs cannot be read.
        """
        return PciNodeDevice(
            address=address,
            vendor_id=await self._read_number(address, "vendor"),
            product_id=await self._read_number(address, "device"),
            class_code=await self._read_number(address, "class"),
            driver=await self.driver(address),
            iommu_group=await self.iommu_group(address),
        )

    async def is_present(self, address: PciAddress) -> bool:
        """Whether the machine has such a device now."""
        return await self.host.exists(f"{DEVICES}/{address}")

    async def require_present(self, address: PciAddress) -> None:
        """The device is there and answers, as libvirt asks before it touches one.

        Raises:
            NotFoundError: (38) It is not there (any more).
            HostError: (1) It cannot be identified.
        """
        if not await self.is_present(address):
            raise NotFoundError(
                f"Device {address} not found: could not access {DEVICES}/{address}/config: "
                f"{os.strerror(errno.ENOENT)}",
                code=ErrorCode.SYSTEM_ERROR,
            )
        try:
            for attribute in ("vendor", "device"):
                await self._read_number(address, attribute)
        except NotFoundError as error:  # it is only appearing, or about to leave
            raise HostError(
                f"Failed to read product/vendor ID for {address}", code=ErrorCode.INTERNAL_ERROR
            ) from error

    async def is_bridge(self, address: PciAddress) -> bool:
        """Whether it leads to other devices, and is no end point of the bus.

        Raises:
            NotFoundError: (53) There is no such device.
            HostError: sysfs cannot be read.
        """
        return await self._read_number(address, "class") >> 8 in _BRIDGE_CLASSES

    async def driver(self, address: PciAddress) -> str | None:
        """Name of the kernel driver bound to a device, ``None`` when there is none.

        Raises:
            NotFoundError: (53) There is no such device.
            HostError: sysfs cannot be read.
        """
        return await self._link_name(address, "driver")

    async def override(self, address: PciAddress) -> str:
        """The one driver that may take a device, as sysfs writes it: ``(null)`` for any.

        Raises:
            HostError: sysfs cannot be read.
        """
        try:
            text = await self.host.read_text(f"{DEVICES}/{address}/driver_override")
        except OSError as error:
            raise _host_error(f"cannot read the override of {address}", error) from error
        return text.strip()

    async def iommu_group(self, address: PciAddress) -> int | None:
        """Number of the IOMMU group of a device, ``None`` without an IOMMU.

        Raises:
            NotFoundError: (53) There is no such device.
            HostError: sysfs cannot be read.
        """
        name = await self._link_name(address, "iommu_group")
        return None if name is None else int(name)

    async def group_members(self, group: int) -> list[PciAddress]:
        """The devices of one IOMMU group, in order; empty when there is no such group.

        The IOMMU cannot tell them apart: while a guest has one, the host may use none.

        Raises:
            HostError: sysfs cannot be read.
        """
        return await self._addresses_in(f"{_GROUPS}/{group}/devices")

    async def vfio_is_supported(self) -> bool:
        """Whether this host can give PCI devices to guests: an IOMMU at work, and VFIO loaded.

        libvirt: ``virHostdevHostSupportsPassthroughVFIO``.

        Raises:
            HostError: sysfs cannot be read.
        """
        groups = await self._list(_GROUPS)
        return bool(groups) and await self.host.exists(_VFIO)

    async def bind_vfio(self, address: PciAddress) -> None:
        """Move a device to vfio-pci; does nothing when it is there.

        Raises:
            NotFoundError: (53) There is no such device.
            HostError: A step failed; the device has been offered back to its driver.
                Trying again is sensible once the cause in ``__cause__`` is gone.

        Cancellation:
            Before the first write nothing is changed. From then on the few writes are shielded and
            run to their end, because a device between two drivers serves nobody. Each lasts as
            long as the two drivers take to give up and to take the device (a network driver: well
            under a second).
        """
        if await self.driver(address) == VFIO_PCI:
            return
        # Before the device is taken from its driver: without vfio-pci nobody takes it.
        await self._require_vfio_loaded()
        with trio.CancelScope(shield=True):
            await self._override(address, VFIO_PCI)
            try:
                current = await self.driver(address)
                if current is not None:
                    await self._unbind(address, current)
                await self._probe(address)
                found = await self.driver(address)
                if found != VFIO_PCI:
                    raise _declined(address, found)
            except HostError as error:
                await self._undo(address, error)
                raise

    async def _require_vfio_loaded(self) -> None:
        """vfio-pci is there, loaded if need be, unless the machine's owner forbids it."""
        path = f"{_DRIVERS}/{VFIO_PCI}"
        if await self.host.exists(path):
            return
        failure = f"Failed to load PCI stub module {VFIO_PCI}"
        try:
            # -b: not if it is blacklisted, which counts as a success.
            process = await self.host.start_process(MODPROBE, log_file="/dev/null")
            status = await process.wait()
        except OSError as error:
            message = f"{failure}: modprobe: {error.strerror or error}"
            raise HostError(message, code=ErrorCode.INTERNAL_ERROR) from error
        if not await self.host.exists(path):
            why = ": administratively prohibited" if status == 0 else ""
            raise HostError(f"{failure}{why}", code=ErrorCode.INTERNAL_ERROR)

    async def return_to_host_driver(self, address: PciAddress) -> str | None:
        """Take a device from vfio-pci and let the host's own driver have it.

        A device that is with another driver keeps it and is not probed again: re-probing a
        network card takes its addresses away. Calling again completes what a failure left.

        The caller has seen that no process holds the device: its guest's QEMU has ended, or has
        sent DEVICE_DELETED. Unbinding *waits in the kernel* for the last holder to let go.

        Returns:
            The driver that has the device now; ``None`` when no driver of the host wanted it.

        Raises:
            NotFoundError: (53) There is no such device.
            HostError: A step failed; trying again is sensible once the cause is gone.

        Cancellation:
            Before the first write nothing is changed. From then on it is shielded, and lasts as
            long as a process holds the device: QEMU lets go shortly after DEVICE_DELETED (at the
            end of an RCU grace period). If one never lets go, end that process.
        """
        found = await self.driver(address)
        with trio.CancelScope(shield=True):
            await self._override(address, None)
            if found == VFIO_PCI:
                await self._unbind(address, VFIO_PCI)
            if await self.driver(address) is None:
                await self._probe(address)
            found = await self.driver(address)
        if found == VFIO_PCI:
            # vfio-pci was told to take every device of this kind (its attribute `new_id`).
            raise _declined(address, found)
        return found

    async def probe_again(self, address: PciAddress) -> None:
        """Take a device from whatever driver has it, and offer it to all drivers of the host.

        That is what libvirt does to every device that is re-attached. A network card loses its
        addresses and routes by it.

        Raises:
            NotFoundError: (53) There is no such device.
            HostError: A step failed; trying again is sensible once the cause is gone.

        Cancellation:
            As for `bind_vfio`.
        """
        holder = await self.driver(address)
        had_interface = await self.has_interface(address)
        with trio.CancelScope(shield=True):
            await self._override(address, None)
            if holder is not None:
                await self._unbind(address, holder)
            await self._probe(address)
            if had_interface:
                await self.await_interface(address)

    async def has_interface(self, address: PciAddress) -> bool:
        """Whether its driver has made a network interface of the device.

        Raises:
            HostError: sysfs cannot be read.
        """
        return bool(await self._list(f"{DEVICES}/{address}/net"))

    async def await_interface(self, address: PciAddress) -> None:
        """Wait until a network card that is back with its driver has its interface again.

        Not longer than `INTERFACE_PATIENCE_S`: the card is back all the same.

        Raises:
            HostError: sysfs cannot be read.
        """
        with trio.move_on_after(INTERFACE_PATIENCE_S):
            while not await self.has_interface(address):  # noqa: ASYNC110 - sysfs cannot be awaited
                await trio.sleep(INTERFACE_PAUSE_S)

    # ------------------------------------------------------------------------------- writing

    async def _override(self, address: PciAddress, driver: str | None) -> None:
        text = NO_OVERRIDE if driver is None else driver
        await self.write(
            f"{DEVICES}/{address}/driver_override",
            text,
            f"Failed to add driver '{text.strip()}' to driver_override interface of PCI device "
            f"'{address}'",
        )

    async def _unbind(self, address: PciAddress, driver: str) -> None:
        await self.write(
            f"{DEVICES}/{address}/driver/unbind",
            str(address),
            f"Failed to unbind PCI device '{address}' from {driver}",
        )

    async def _probe(self, address: PciAddress) -> None:
        await self.write(
            _PROBE, str(address), f"Failed to trigger a probe for PCI device '{address}'"
        )

    async def _undo(self, address: PciAddress, reason: HostError) -> None:
        """Give a device that did not reach vfio-pci back to whoever had it."""
        try:
            await self._override(address, None)
            if await self.driver(address) is None:
                await self._probe(address)
        except (HostError, NotFoundError) as error:
            reason.add_note(f"and it could not be given back to its driver: {error}")

    async def write(self, path: str, text: str, failure: str) -> None:
        """Write to an attribute in sysfs.

        Raises:
            HostError: (38) The kernel refused; the text begins with ``failure``.
        """
        try:
            await self.host.write_attribute(path, text)
        except OSError as error:
            raise _host_error(failure, error) from error

    # ------------------------------------------------------------------------------- reading

    async def _list(self, path: str) -> list[str]:
        try:
            return await self.host.list_directory(path)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _host_error(f"cannot open directory '{path}'", error) from error

    async def _addresses_in(self, path: str) -> list[PciAddress]:
        found: list[PciAddress] = []
        for name in await self._list(path):
            try:
                found.append(PciAddress.parse(name))
            except DefinitionError:
                # An IOMMU group also holds devices that are not PCI (platform devices).
                continue
        return sorted(found)

    async def _read_number(self, address: PciAddress, attribute: str) -> int:
        try:
            text = await self.host.read_text(f"{DEVICES}/{address}/{attribute}")
            return int(text.strip(), 16)
        except ValueError as error:
            raise HostError(
                f"Failed to read product/vendor ID for {address}: {attribute} is not a number",
                code=ErrorCode.INTERNAL_ERROR,
            ) from error
        except OSError as error:
            if error.errno in _GONE:
                raise unknown_node_device(address.node_device_name) from error
            message = f"Failed to read product/vendor ID for {address}"
            raise _host_error(message, error, ErrorCode.INTERNAL_ERROR) from error

    async def _link_name(self, address: PciAddress, link: str) -> str | None:
        """Last part of a link's target, ``None`` when the device has no such link."""
        try:
            target = await self.host.read_link(f"{DEVICES}/{address}/{link}")
        except OSError as error:
            if error.errno not in _GONE:
                raise _host_error(f"cannot read link '{link}' of {address}", error) from error
            if not await self.host.exists(f"{DEVICES}/{address}"):
                raise unknown_node_device(address.node_device_name) from error
            return None
        return posixpath.basename(target)


def unknown_node_device(name: str) -> NotFoundError:
    """libvirt's error for a node device that does not exist."""
    message = f"no node device with matching name '{name}'"
    return NotFoundError(message, code=ErrorCode.NO_NODE_DEVICE)


def _declined(address: PciAddress, found: str | None) -> HostError:
    """The error for a probe that the kernel calls a success and that did not do what it should."""
    holder = "no driver took it" if found is None else f"it is bound to {found}"
    error = HostError(f"Failed to trigger a probe for PCI device '{address}': {holder}")
    error.__cause__ = OSError(errno.ENODEV, os.strerror(errno.ENODEV))
    return error


def _host_error(
    failure: str, error: OSError, code: ErrorCode = ErrorCode.SYSTEM_ERROR
) -> HostError:
    return HostError(f"{failure}: {error.strerror or error}", code=code)
