"""IOMMU groups, who owns their DMA, and the files of /dev/vfio.

The kernel's rules (6.1), each seen on a real one:

1. ``/dev/vfio/N`` is there while a device of group N is bound to vfio-pci. One process may have it
   open; for the next it is ``EBUSY``. Opening it claims nothing yet.
2. Giving the group a container claims its DMA for user space. That needs every member to be bound
   to nothing or to a driver that leaves DMA alone (``EPERM`` otherwise). While it is claimed, no
   other driver gets a member: binding fails with ``EBUSY``.
3. A device is opened, any number of times, if it is in the group and bound to vfio-pci (``ENODEV``
   otherwise), and the group has a container (``EINVAL`` otherwise).
4. A group whose last device has left vfio-pci is dead for who has it open: ``ENODEV``.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
import trio

from pyvirt_sim.engine import note
from pyvirt_sim.host.pci.device import SimPciDevice
from pyvirt_sim.host.pci.drivers import VFIO_PCI
from pyvirt_sim.host.tree import failure
from pyvirt_sim.qemu.world import VfioRefusedError, VfioStep

if TYPE_CHECKING:
    from pyvirt_sim.host.pci.model import PciModel

GROUP_DEVPATH = "/devices/virtual/vfio"


@attrs.define(eq=False)
class OpenVfioDevice:
    """A device that a process has open; implements `VfioHandle`."""

    group: OpenGroup
    device: SimPciDevice
    request: Callable[[], None]
    # QEMU opens the group for its first device and closes it after its last one.
    closes_group: bool = False
    is_open: bool = True

    def close(self) -> None:
        """Close it; does nothing the second time."""
        if self.is_open:
            self.is_open = False
            self.group.forget(self)
            if self.closes_group and not self.group.devices:
                self.group.close()


class OpenGroup:
    """``/dev/vfio/N``, open in one process.

    Attributes:
        number: N.
        owner: The process.
        devices: What is open through it.
        has_container: Whether its DMA is claimed.
    """

    def __init__(self, vfio: Vfio, number: int, owner: int) -> None:
        self.number = number
        self.owner = owner
        self.devices: list[OpenVfioDevice] = []
        self.has_container = False
        self.is_dead = False
        self._vfio = vfio

    @property
    def is_viable(self) -> bool:
        """``VFIO_GROUP_GET_STATUS``: whether its DMA is, or can be, claimed.

        Raises:
            OSError: ``ENODEV`` when the group is dead.
        """
        self._require_alive()
        return self.has_container or self._vfio.can_be_claimed(self.number)

    def attach(self) -> None:
        """Give it a container with an IOMMU of type 1.

        Raises:
            OSError: ``ENODEV``; ``EINVAL`` when it has one; ``EPERM`` when it is not viable.
        """
        self._require_alive()
        if self.has_container:
            raise failure(errno.EINVAL, self._path)
        if not self._vfio.can_be_claimed(self.number):
            raise failure(errno.EPERM, self._path)
        self.has_container = True

    def detach(self) -> None:
        """Take it from its container.

        Raises:
            OSError: ``EINVAL`` when it has none; ``EBUSY`` while a device is open.
        """
        if not self.has_container:
            raise failure(errno.EINVAL, self._path)
        if self.devices:
            raise failure(errno.EBUSY, self._path)
        self.has_container = False

    def open_device(self, address: str, request: Callable[[], None]) -> OpenVfioDevice:
        """``VFIO_GROUP_GET_DEVICE_FD``.

        Args:
            address: The device.
            request: Called when the kernel wants the device back.

        Raises:
            OSError: ``ENODEV`` or ``EINVAL``, see rule 3.
        """
        self._require_alive()
        device = self._vfio.find(address)
        if device is None or device.iommu_group != self.number or device.bound_driver != VFIO_PCI:
            raise failure(errno.ENODEV, self._path)
        if not self.has_container:
            raise failure(errno.EINVAL, self._path)
        opened = OpenVfioDevice(self, device, request)
        self.devices.append(opened)
        note("host", f"{address} is opened through vfio", pid=self.owner)
        return opened

    def forget(self, opened: OpenVfioDevice) -> None:
        """Called by a device that is closed."""
        self.devices.remove(opened)
        note("host", f"{opened.device.address} is closed", pid=self.owner)
        self._vfio.closed.unpark_all()

    def close(self) -> None:
        """Close it and all that was opened through it."""
        for opened in list(self.devices):
            opened.closes_group = False
            opened.close()
        self.has_container = False
        self._vfio.forget(self)

    @property
    def _path(self) -> str:
        return f"/dev/vfio/{self.number}"

    def _require_alive(self) -> None:
        if self.is_dead:
            raise failure(errno.ENODEV, self._path)


class Vfio:
    """What vfio-pci keeps of a host's devices."""

    def __init__(self, bus: PciModel) -> None:
        self._bus = bus
        self._open: dict[int, OpenGroup] = {}
        self._numbers: dict[SimPciDevice, int] = {}
        self.closed = trio.lowlevel.ParkingLot()

    # -- groups -----------------------------------------------------------------------------------

    def nodes(self) -> list[int]:
        """Groups that have a file in /dev/vfio, in order."""
        return sorted({n for device in self._numbers if (n := device.iommu_group) is not None})

    def can_be_claimed(self, number: int) -> bool:
        """Whether no driver of the host uses the DMA of a member of the group."""
        drivers = (member.bound_driver for member in self._bus.members(number))
        return all(name is None or self._bus.drivers[name].manages_dma for name in drivers)

    def is_claimed(self, number: int | None) -> bool:
        """Whether user space owns the DMA of the group."""
        group = None if number is None else self._open.get(number)
        return group is not None and group.has_container

    def open_group(self, number: int, owner: int) -> OpenGroup:
        """Open ``/dev/vfio/N`` for a process.

        Raises:
            OSError: ``ENOENT``, or ``EBUSY`` when somebody has it open.
        """
        if number not in self.nodes():
            raise failure(errno.ENOENT, f"/dev/vfio/{number}")
        if number in self._open:
            raise failure(errno.EBUSY, f"/dev/vfio/{number}")
        group = self._open[number] = OpenGroup(self, number, owner)
        return group

    def forget(self, group: OpenGroup) -> None:
        """Called by a group that is closed."""
        if self._open.get(group.number) is group:
            del self._open[group.number]

    def find(self, address: str) -> SimPciDevice | None:
        """The device at an address."""
        return self._bus.devices.get(address)

    # -- devices that come to vfio-pci and leave ---------------------------------------------------

    def number_of(self, device: SimPciDevice) -> int | None:
        """N of the device's folder ``vfio-dev/vfioN``; None when vfio-pci does not have it."""
        return self._numbers.get(device)

    def register(self, device: SimPciDevice) -> None:
        """Take over a device that vfio-pci has been given.

        Raises:
            OSError: ``EINVAL`` for a bridge, and without an IOMMU.
        """
        if device.is_bridge or device.iommu_group is None:
            raise failure(errno.EINVAL, str(device.address))
        if device.iommu_group not in self.nodes():
            self._tell_of_group("add", device.iommu_group)
        taken = set(self._numbers.values())
        number = next(n for n in range(len(taken) + 1) if n not in taken)
        self._numbers[device] = number
        self._tell_of_device("add", device)

    async def unregister(self, device: SimPciDevice) -> None:
        """Let go of a device once no process has it open, asking those who have."""
        users = self._users(device)
        if users:
            note("host", f"unbind of {device.address} waits for its user")
            for opened in users:
                opened.request()
        while self._users(device) and not self._bus.is_dead:
            await self.closed.park()
        self._tell_of_device("remove", device)
        del self._numbers[device]
        group = device.iommu_group
        assert group is not None, "only a device with a group was registered"
        if group not in self.nodes():
            self._tell_of_group("remove", group)
            opened_group = self._open.pop(group, None)
            if opened_group is not None:
                opened_group.is_dead = True

    def _users(self, device: SimPciDevice) -> list[OpenVfioDevice]:
        number = device.iommu_group
        group = None if number is None else self._open.get(number)
        return [] if group is None else [d for d in group.devices if d.device is device]

    def _tell_of_group(self, action: str, number: int) -> None:
        name = f"vfio/{number}"
        self._bus.tell(action, f"{GROUP_DEVPATH}/{number}", "vfio", {"DEVNAME": name})

    def _tell_of_device(self, action: str, device: SimPciDevice) -> None:
        name = f"vfio-dev/vfio{self._numbers[device]}"
        self._bus.tell(action, f"{self._bus.devpath(device)}/{name}", "vfio-dev", {})

    # -- as QEMU opens a device --------------------------------------------------------------------

    def open_for_qemu(
        self, address: str, owner: int, request: Callable[[], None]
    ) -> OpenVfioDevice:
        """Open a device with the steps of ``vfio_realize``; see `World.open_vfio`."""
        device = self.find(address)
        if device is None:
            raise VfioRefusedError(VfioStep.FIND_DEVICE, errno.ENOENT)
        number = device.iommu_group
        if number is None:
            raise VfioRefusedError(VfioStep.FIND_GROUP, errno.ENOENT)
        group = self._group_for_qemu(number, owner)
        try:
            if any(opened.device is device for opened in group.devices):
                raise VfioRefusedError(VfioStep.ALREADY_ATTACHED, 0, number)
            try:
                opened = group.open_device(address, request)
            except OSError as error:
                raise VfioRefusedError(VfioStep.GET_DEVICE, error.errno or 0, number) from error
        except VfioRefusedError:
            if not group.devices:
                group.close()
            raise
        opened.closes_group = True
        return opened

    def _group_for_qemu(self, number: int, owner: int) -> OpenGroup:
        group = self._open.get(number)
        if group is not None and group.owner == owner:
            return group
        try:
            group = self.open_group(number, owner)
        except OSError as error:
            raise VfioRefusedError(VfioStep.OPEN_GROUP, error.errno or 0, number) from error
        if not group.is_viable:
            group.close()
            raise VfioRefusedError(VfioStep.CHECK_VIABLE, 0, number)
        group.attach()
        return group
