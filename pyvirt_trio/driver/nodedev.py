"""A PCI device of the host, as libvirt's node device calls see it."""

from __future__ import annotations

from pyvirt_trio.driver.hostdevs import HostDeviceManager
from pyvirt_trio.host.pci import PciBus
from pyvirt_trio.models.addresses import PciAddress
from pyvirt_trio.models.nodedev import PciNodeDevice
from pyvirt_trio.xml.nodedev import format_node_device


class NodeDevice:
    """A handle of one device of the host. It holds nothing: the device may vanish at any time."""

    def __init__(self, address: PciAddress, bus: PciBus, manager: HostDeviceManager) -> None:
        self.address = address
        self._bus = bus
        self._manager = manager

    def __repr__(self) -> str:
        return f"<NodeDevice {self.name}>"

    @property
    def name(self) -> str:
        """libvirt's name, such as ``pci_0000_01_00_0``."""
        return self.address.node_device_name

    async def xml(self) -> str:
        """It, and the other members of its IOMMU group, as XML (``virNodeDeviceGetXMLDesc``).

        Raises:
            NotFoundError: It has vanished.
            HostError: sysfs cannot be read.
        """
        found = await self.describe()
        group = found.iommu_group
        members = [] if group is None else await self._bus.group_members(group)
        return format_node_device(found, group_members=members)

    async def describe(self) -> PciNodeDevice:
        """What sysfs says of it now.

        Raises:
            NotFoundError: It has vanished.
            HostError: sysfs cannot be read.
        """
        return await self._bus.describe(self.address)

    async def detach(self, *, driver: str | None = None, force: bool = False) -> None:
        """It is on vfio-pci, ready for a domain; see `HostDeviceManager.detach`."""
        await self._manager.detach(self.address, driver=driver, force=force)

    async def reattach(self, *, force: bool = False) -> None:
        """It is with the host's own driver again; see `HostDeviceManager.reattach`."""
        await self._manager.reattach(self.address, force=force)

    async def reset(self, *, force: bool = False) -> None:
        """It is as when it was switched on; see `HostDeviceManager.reset`."""
        await self._manager.reset(self.address, force=force)
