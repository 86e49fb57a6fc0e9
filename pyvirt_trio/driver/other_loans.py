"""USB, SCSI and mediated devices of the host: which domain has which.

Unlike PCI devices they are not moved between drivers: QEMU opens them as they are. So there is one
list per kind, of those that are active (``activeUSBHostdevs`` and its like), and what libvirt says
of a device that is on it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence

import attrs

from pyvirt_trio.abc import Host
from pyvirt_trio.driver.pci_loans import Owner
from pyvirt_trio.errors import DeviceInUseError
from pyvirt_trio.host.other_devices import (
    find_mediated,
    find_scsi,
    find_scsi_target,
    find_usb,
)
from pyvirt_trio.models.devices import Device
from pyvirt_trio.models.host_devices import (
    HostMediated,
    HostScsi,
    HostScsiTarget,
    HostUsb,
    OtherHostDevice,
)


@attrs.define
class _Use:
    """An active device: who has it, several if all of them share it."""

    device: OtherHostDevice
    owners: dict[Owner, None]

    @property
    def is_shareable(self) -> bool:
        """Whether those who have it would share it with others."""
        return isinstance(self.device, HostScsi) and self.device.is_shareable


class OtherLoans:
    """The active lists of one host, for all kinds but PCI."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._uses: dict[str, _Use] = {}

    @property
    def active(self) -> tuple[str, ...]:
        """The devices that domains have, as `name_of` names them, sorted."""
        return tuple(sorted(self._uses))

    def of(self, devices: Iterable[Device]) -> list[OtherHostDevice]:
        """Those among ``devices`` that are of a kind this keeps."""
        return [device for device in devices if isinstance(device, OtherHostDevice)]

    async def prepare(
        self, owner: Owner, devices: Sequence[OtherHostDevice]
    ) -> dict[Device, OtherHostDevice]:
        """Assign devices to a life; all of them, or none.

        Returns:
            Each device, and what it is now that it has been looked for on the host.

        Raises:
            NotFoundError: The host has no such device.
            DeviceInUseError: (55) Another domain has it.
            HostError: sysfs cannot be read.
        """
        found: dict[Device, OtherHostDevice] = {}
        for device in devices:
            found[device] = await self._find(device)
        taken: list[OtherHostDevice] = []
        try:
            for device in found.values():
                self._take(owner, device)
                taken.append(device)
        except DeviceInUseError:
            self.release(owner, taken)
            raise
        return found

    def adopt(self, owner: Owner, devices: Iterable[OtherHostDevice]) -> None:
        """Count devices as active that a QEMU has which outlived its manager.

        What another domain has stays that domain's, and a USB device that was not found yet is not
        looked for.
        """
        for device in devices:
            is_found = not isinstance(device, HostUsb) or device.bus is not None
            if is_found:
                with contextlib.suppress(DeviceInUseError):
                    self._take(owner, device)

    def release(self, owner: Owner, devices: Iterable[Device] | None) -> None:
        """Take devices back from a life, all it has when ``devices`` is ``None``."""
        wanted = None if devices is None else self.of(devices)
        for name, use in list(self._uses.items()):
            is_wanted = wanted is None or any(_is_same(one, use.device) for one in wanted)
            if is_wanted and owner in use.owners:
                del use.owners[owner]
                if not use.owners:
                    del self._uses[name]

    async def _find(self, device: OtherHostDevice) -> OtherHostDevice:
        match device:
            case HostUsb():
                return await find_usb(self._host, device)
            case HostScsi():
                return await find_scsi(self._host, device)
            case HostScsiTarget():
                await find_scsi_target(self._host)
            case HostMediated():
                await find_mediated(self._host, device)
            case _:
                raise AssertionError(f"{device!r} is of no kind that libvirt knows")
        return device

    def _take(self, owner: Owner, device: OtherHostDevice) -> None:
        name = name_of(device)
        use = self._uses.get(name)
        mine = _Use(device, {owner: None})
        if use is None:
            self._uses[name] = mine
        elif mine.is_shareable and use.is_shareable:
            use.owners[owner] = None
        else:
            raise DeviceInUseError(_busy(name, device, use))


def name_of(device: OtherHostDevice) -> str:
    """The device as libvirt's messages name it, which is the same for two names of one device."""
    match device:
        case HostUsb(bus=bus, device=number):
            return f"{bus:03o}:{number:03o}"  # in octal: so does libvirt
        case HostMediated():
            return f"/sys/bus/mdev/devices/{device}"
        case _:
            return str(device)


def _is_same(wanted: OtherHostDevice, active: OtherHostDevice) -> bool:
    """Whether a device that is active is the one that is meant."""
    if isinstance(wanted, HostUsb) and isinstance(active, HostUsb):
        return wanted.means(active)
    return type(wanted) is type(active) and str(wanted) == str(active)


def _busy(name: str, device: OtherHostDevice, use: _Use) -> str:
    """What libvirt says of a device that another domain has."""
    domain = next(iter(use.owners)).domain
    match device:
        case HostUsb():
            return f"USB device {name} is in use by driver QEMU, domain {domain}"
        case HostScsi():
            how = "shareable" if use.is_shareable else "non-shareable"
            return f"SCSI device {name} is already in use by other domain(s) as '{how}'"
        case HostScsiTarget():
            return f"SCSI_host device {name} is already in use by another domain"
        case _:
            return f"mediated device {name} is in use by driver QEMU, domain {domain}"
