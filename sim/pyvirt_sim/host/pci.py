"""The PCI devices of a simulated host: drivers, IOMMU groups and vfio.

The kernel's rules, as far as they are modelled:

1. A device is bound to one driver or to none. Unbinding from vfio-pci waits until the process that
   has the device open has closed it.
2. ``driver_override`` lets only the named driver take the device; ``drivers_probe`` offers it to
   the driver it is restricted to, or else to the host's own.
3. ``/dev/vfio/N`` is there while a device of group N is bound to vfio-pci, and can be opened by
   one process, when every device of the group is bound to vfio-pci or to nothing.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

import attrs
import trio

from pyvirt_sim.engine import note
from pyvirt_sim.host.tree import failure
from pyvirt_sim.qemu.world import VfioRefusedError, VfioStep
from pyvirt_trio.models import PciAddress

VFIO_PCI = "vfio-pci"


@attrs.define(eq=False, kw_only=True)
class SimPciDevice:
    """A PCI device in a slot of the simulated host.

    Args:
        address: Where it is.
        vendor_id: PCI vendor number.
        product_id: PCI product number.
        class_code: 24-bit PCI class.
        driver: The host's own driver for it, bound at the start; ``None`` when there is none.
        iommu_group: Its group; ``None`` without an IOMMU.
        network_interface: Name of the network interface it carries while its own driver has it.
    """

    address: PciAddress
    vendor_id: int = 0x8086
    product_id: int = 0x10D3
    class_code: int = 0x020000
    driver: str | None = None
    iommu_group: int | None = None
    network_interface: str | None = None
    own_driver: str | None = attrs.field(init=False)
    override: str | None = attrs.field(init=False, default=None)
    opened: trio.Event | None = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self.own_driver = self.driver


@attrs.define(eq=False)
class OpenDevice:
    """A device that a process has open; implements `VfioHandle`."""

    bus: PciModel
    device: SimPciDevice
    owner: int

    def close(self) -> None:
        """Close it; the group is free when its last device is closed."""
        if self.device.opened is not None:
            self.bus.close(self)


class PciModel:
    """All devices and what the kernel does with them."""

    def __init__(self) -> None:
        self.devices: dict[str, SimPciDevice] = {}
        self._group_owner: dict[int, int] = {}
        self._group_uses: dict[int, int] = {}
        self._requests: dict[str, Callable[[], None]] = {}

    def add(self, device: SimPciDevice) -> None:
        """Put a device into its slot."""
        assert str(device.address) not in self.devices, f"slot {device.address} is taken"
        self.devices[str(device.address)] = device

    def drivers(self) -> list[str]:
        """Names of all drivers that are loaded, sorted."""
        own = {d.own_driver for d in self.devices.values() if d.own_driver is not None}
        return sorted(own | {VFIO_PCI})

    def groups(self) -> list[int]:
        """Numbers of all IOMMU groups, sorted."""
        numbers = {d.iommu_group for d in self.devices.values() if d.iommu_group is not None}
        return sorted(numbers)

    def members(self, group: int) -> list[SimPciDevice]:
        """The devices of one group, by address."""
        return [
            self.devices[a] for a in sorted(self.devices) if self.devices[a].iommu_group == group
        ]

    # -- what is written into sysfs -------------------------------------------------------------

    def set_override(self, device: SimPciDevice, text: str) -> None:
        """Write to ``driver_override``."""
        device.override = text.strip() or None

    async def unbind(self, driver: str, text: str) -> None:
        """Write to the ``unbind`` of ``driver``.

        Raises:
            OSError: ``ENODEV`` when the device is not bound to it.
        """
        device = self.devices.get(text.strip())
        if device is None or device.driver != driver:
            raise failure(errno.ENODEV, f"/sys/bus/pci/drivers/{driver}/unbind")
        if driver == VFIO_PCI and device.opened is not None:
            note("host", f"unbind of {device.address} waits for its user")
            request = self._requests.get(str(device.address))
            if request is not None:
                request()
            await device.opened.wait()
        device.driver = None
        note("host", f"{device.address} leaves {driver}")

    def bind(self, driver: str, text: str) -> None:
        """Write to the ``bind`` of ``driver``.

        Raises:
            OSError: ``ENODEV`` when the driver may not have the device, ``EBUSY`` when another has.
        """
        path = f"/sys/bus/pci/drivers/{driver}/bind"
        device = self.devices.get(text.strip())
        if device is None or (device.override or device.own_driver) != driver:
            raise failure(errno.ENODEV, path)
        if device.driver is not None:
            raise failure(errno.EBUSY, path)
        self._probe(device)

    def probe(self, text: str) -> None:
        """Write to ``drivers_probe``; a driver that declines is no error.

        Raises:
            OSError: ``ENODEV`` without such a device.
        """
        device = self.devices.get(text.strip())
        if device is None:
            raise failure(errno.ENODEV, "/sys/bus/pci/drivers_probe")
        if device.driver is None:
            self._probe(device)

    def _probe(self, device: SimPciDevice) -> None:
        wanted = device.override or device.own_driver
        if wanted is None or wanted not in self.drivers():
            return
        if wanted not in (VFIO_PCI, device.own_driver):
            return  # a driver restricts itself to the devices it knows
        device.driver = wanted
        note("host", f"{device.address} is bound to {wanted}")

    # -- vfio -----------------------------------------------------------------------------------

    def open_vfio(self, address: str, owner: int, request: Callable[[], None]) -> OpenDevice:
        """Open a device for a process; see `World.open_vfio`."""
        device = self.devices.get(address)
        if device is None:
            raise VfioRefusedError(VfioStep.FIND_DEVICE, errno.ENOENT)
        group = device.iommu_group
        if group is None:
            raise VfioRefusedError(VfioStep.FIND_GROUP, errno.ENOENT)
        members = self.members(group)
        if all(member.driver != VFIO_PCI for member in members):
            raise VfioRefusedError(VfioStep.OPEN_GROUP, errno.ENOENT, group)
        if self._group_owner.get(group, owner) != owner:
            raise VfioRefusedError(VfioStep.OPEN_GROUP, errno.EBUSY, group)
        if any(member.driver not in (VFIO_PCI, None) for member in members):
            raise VfioRefusedError(VfioStep.CHECK_VIABLE, 0, group)
        if device.driver != VFIO_PCI:
            raise VfioRefusedError(VfioStep.GET_DEVICE, errno.ENODEV, group)
        if device.opened is not None:
            raise VfioRefusedError(VfioStep.ALREADY_ATTACHED, 0, group)
        device.opened = trio.Event()
        self._group_owner[group] = owner
        self._group_uses[group] = self._group_uses.get(group, 0) + 1
        self._requests[address] = request
        note("host", f"{address} is opened through vfio", pid=owner)
        return OpenDevice(self, device, owner)

    def close(self, handle: OpenDevice) -> None:
        """Called by the handle, once."""
        device = handle.device
        assert device.opened is not None, "a device is closed once"
        assert device.iommu_group is not None, "only a device with a group was opened"
        device.opened.set()
        device.opened = None
        self._requests.pop(str(device.address), None)
        self._group_uses[device.iommu_group] -= 1
        if not self._group_uses[device.iommu_group]:
            del self._group_owner[device.iommu_group]
        note("host", f"{device.address} is closed", pid=handle.owner)
