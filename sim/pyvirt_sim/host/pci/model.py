"""The bus: devices and drivers, bound and unbound by what is written into sysfs.

The kernel's rules (6.1), each seen on a real one:

1. A device has one driver or none. ``bind`` wants a driver that matches (``ENODEV``) and a device
   that has none (``EBUSY``), and gives the error of the driver's probe. ``drivers_probe`` asks all
   drivers that match, in order, and calls it a success when none takes the device.
2. ``unbind`` takes the ``driver`` link away first, then lets the driver finish: vfio-pci waits for
   whoever has the device open. Until then nobody else gets it.
3. While that waits it holds the device's lock, and so waits everything that needs the lock: bind,
   unbind, reset, writing *and reading* ``driver_override``. Probing sees that it has a driver and
   does nothing.
4. A driver that does DMA does not get a device whose IOMMU group is claimed by user space:
   ``EBUSY`` from ``bind``, ``EINVAL`` from ``drivers_probe``.
"""

from __future__ import annotations

import errno
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager

import trio

from pyvirt_sim.engine import note
from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.host.pci import text
from pyvirt_sim.host.pci.device import SimPciDevice
from pyvirt_sim.host.pci.drivers import VFIO_PCI, SimDriver, built_in_drivers
from pyvirt_sim.host.pci.reset import Resets
from pyvirt_sim.host.pci.sriov import Sriov
from pyvirt_sim.host.pci.uevents import UeventSource
from pyvirt_sim.host.pci.vfio import Vfio
from pyvirt_sim.host.tree import failure

DRIVERS = "/sys/bus/pci/drivers"
PROBE = "/sys/bus/pci/drivers_probe"


def _never(_site: str) -> bool:
    return False


class PciModel:
    """All devices and what the kernel does with them.

    Args:
        happens: Whether the fault of a named site strikes now.
        on_appear: Called with each device that has come while the machine runs.

    Attributes:
        devices: By address.
        drivers: By name, in the order the kernel asks them.
        uevents: Who is told.
        vfio: Groups and /dev/vfio.
        is_dead: Whether the machine has crashed; nobody waits for anything any more.
    """

    def __init__(
        self,
        happens: Callable[[str], bool] = _never,
        on_appear: Callable[[SimPciDevice], None] | None = None,
    ) -> None:
        self._happens = happens
        self._on_appear = on_appear
        self.devices: dict[str, SimPciDevice] = {}
        self.drivers: dict[str, SimDriver] = built_in_drivers()
        self.uevents = UeventSource()
        self.vfio = Vfio(self)
        self.resets = Resets(self)
        self.sriov = Sriov(self)
        self.probes_new_devices = True
        self.is_dead = False

    # -- devices that are there -------------------------------------------------------------------

    def add(self, device: SimPciDevice) -> None:
        """Put a device into its slot, with its own driver, before anybody looks."""
        self._insert(device)
        for name, product in (
            (device.own_driver, device.product_id),
            (device.vf_driver or device.own_driver, device.vf_product_id),
        ):
            if name is not None and product is not None:
                driver = self.drivers.setdefault(name, SimDriver(name))
                driver.ids.add((device.vendor_id, product))

    def groups(self) -> list[int]:
        """Numbers of all IOMMU groups, sorted."""
        numbers = {d.iommu_group for d in self.devices.values() if d.iommu_group is not None}
        return sorted(numbers)

    def members(self, group: int) -> list[SimPciDevice]:
        """The devices of one group, by address."""
        return [
            self.devices[a] for a in sorted(self.devices) if self.devices[a].iommu_group == group
        ]

    def devpath(self, device: SimPciDevice) -> str:
        """The device's folder, below /sys."""
        if device.parent is None:
            return f"/devices/pci{device.address.domain:04x}:00/{device.address}"
        return f"{self.devpath(self.devices[str(device.parent)])}/{device.address}"

    def die(self) -> None:
        """Stop for ever: the machine has crashed."""
        self.is_dead = True
        self.vfio.closed.unpark_all()

    # -- what is written into sysfs -------------------------------------------------------------

    async def set_override(self, device: SimPciDevice, value: str) -> None:
        """Write to ``driver_override``.

        Raises:
            OSError: ``EINVAL`` for more than fits a page.
        """
        wanted = text.override(value, f"{device.address}/driver_override")
        async with self.locked(device):
            device.override = wanted

    async def unbind(self, driver: str, value: str) -> None:
        """Write to the ``unbind`` of ``driver``; waits as rule 2 says.

        Raises:
            OSError: ``ENODEV`` when the device is not bound to it.
        """
        device = self.devices.get(text.name(value))
        if device is None or device.bound_driver != driver:
            raise failure(errno.ENODEV, f"{DRIVERS}/{driver}/unbind")
        async with self.locked(device):
            await self._release(device)

    async def bind(self, driver: str, value: str) -> None:
        """Write to the ``bind`` of ``driver``.

        Raises:
            OSError: ``ENODEV``, ``EBUSY``, or what the probe gives.
        """
        path = f"{DRIVERS}/{driver}/bind"
        device = self.devices.get(text.name(value))
        if device is None or not self.drivers[driver].matches(device):
            raise failure(errno.ENODEV, path)
        async with self.locked(device):
            if device.driver is not None or self._is_denied(self.drivers[driver], device):
                raise failure(errno.EBUSY, path)
            self._probe(self.drivers[driver], device)

    async def probe(self, value: str) -> None:
        """Write to ``drivers_probe``; a driver that declines is no error.

        Raises:
            OSError: ``ENODEV`` without such a device; ``EINVAL`` as rule 4 says.
        """
        device = self.devices.get(text.name(value))
        if device is None:
            raise failure(errno.ENODEV, PROBE)
        if device.bound_driver is None and not await self.attach(device):
            raise failure(errno.EINVAL, PROBE)

    async def add_id(self, driver: str, value: str) -> None:
        """Write to ``new_id``: the driver takes all devices of a kind that have no driver.

        Raises:
            OSError: ``EINVAL`` for no id, ``EEXIST`` for one it takes already.
        """
        path = f"{DRIVERS}/{driver}/new_id"
        found = self.drivers[driver]
        identity = _identity(value, path)
        if found.matches_id(identity):
            raise failure(errno.EEXIST, path)
        found.added_ids.append(identity)
        for device in list(self.devices.values()):
            if device.bound_driver is None and found.matches(device):
                async with self.locked(device):
                    self._try(found, device)

    def remove_id(self, driver: str, value: str) -> None:
        """Write to ``remove_id``; devices that it has it keeps.

        Raises:
            OSError: ``EINVAL`` for no id, ``ENODEV`` for one that was not added.
        """
        path = f"{DRIVERS}/{driver}/remove_id"
        identity = _identity(value, path)
        added = self.drivers[driver].added_ids
        if identity not in added:
            raise failure(errno.ENODEV, path)
        added.remove(identity)

    # -- devices that come and go -----------------------------------------------------------------

    def appear(self, device: SimPciDevice) -> None:
        """A device is found while the machine runs; no driver has it yet."""
        device.driver = None
        self._insert(device)
        if device.own_driver is not None:
            driver = self.drivers.setdefault(device.own_driver, SimDriver(device.own_driver))
            driver.ids.add((device.vendor_id, device.product_id))
        if self._on_appear is not None:
            self._on_appear(device)
        self.tell_of(device, "add")

    async def disappear(self, device: SimPciDevice) -> None:
        """A device leaves: its driver gives it up, however long that takes, then it is gone."""
        async with self.locked(device):
            await self._release(device)
        del self.devices[str(device.address)]
        self.tell_of(device, "remove")

    async def attach(self, device: SimPciDevice) -> bool:
        """Offer a device to the drivers that match, in order.

        Returns:
            False when one was not even asked because the IOMMU group is claimed.
        """
        async with self.locked(device):
            for driver in self.drivers.values():
                if device.driver is None and driver.matches(device):
                    if self._is_denied(driver, device):
                        return False
                    self._try(driver, device)
        return True

    # -- what others here need --------------------------------------------------------------------

    @asynccontextmanager
    async def locked(self, device: SimPciDevice) -> AsyncGenerator[None]:
        """Hold the device's lock; waits only while somebody else has it."""
        try:
            device.lock.acquire_nowait()
        except trio.WouldBlock:
            await device.lock.acquire()
        try:
            yield
        finally:
            device.lock.release()

    def tell(self, action: str, devpath: str, subsystem: str, more: Mapping[str, str]) -> None:
        """Send an event to all who listen."""
        self.uevents.publish(action, devpath, subsystem, more)

    def tell_of(self, device: SimPciDevice, action: str) -> None:
        """Send an event of a device."""
        self.tell(action, self.devpath(device), "pci", device.environment)

    # -- inside -----------------------------------------------------------------------------------

    def _insert(self, device: SimPciDevice) -> None:
        assert str(device.address) not in self.devices, f"slot {device.address} is taken"
        self.devices[str(device.address)] = device
        self.resets.find(device)
        device.can_be_reset = bool(device.resets)

    def _is_denied(self, driver: SimDriver, device: SimPciDevice) -> bool:
        return not driver.manages_dma and self.vfio.is_claimed(device.iommu_group)

    def _try(self, driver: SimDriver, device: SimPciDevice) -> None:
        """Let a driver look at a device; that it declines is nobody's error."""
        try:
            self._probe(driver, device)
        except OSError as error:
            note("host", f"{driver.name} declines {device.address}", reason=str(error))

    def _probe(self, driver: SimDriver, device: SimPciDevice) -> None:
        identity = (device.vendor_id, device.product_id)
        if not driver.takes_any and identity not in driver.ids:
            raise ModelGapError(f"{driver.name} is made to look at a device that it does not know")
        if self._happens("probe-fails"):
            raise failure(errno.EIO, str(device.address))
        if driver.name == VFIO_PCI:
            self.vfio.register(device)
        device.driver = driver.name
        if device.interface_delay_s:
            device.interface_at_s = trio.current_time() + device.interface_delay_s
        note("host", f"{device.address} is bound to {driver.name}")
        self.tell_of(device, "bind")

    async def _release(self, device: SimPciDevice) -> None:
        if device.driver is None:
            return
        if device.virtual_functions:
            raise ModelGapError(f"the driver of {device.address} leaves its virtual functions")
        device.leaving, device.driver = device.driver, None
        if device.leaving == VFIO_PCI:
            await self.vfio.unregister(device)
        note("host", f"{device.address} leaves {device.leaving}")
        device.leaving = None
        self.tell_of(device, "unbind")


def _identity(value: str, path: str) -> tuple[int, int]:
    try:
        return text.device_id(value, path)
    except NotImplementedError as error:
        raise ModelGapError(f"{path}: {error}") from error
