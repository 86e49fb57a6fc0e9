"""Drivers of PCI devices, and which devices they match."""

from __future__ import annotations

import attrs

from pyvirt_sim.host.pci.device import SimPciDevice

VFIO_PCI = "vfio-pci"
PCI_STUB = "pci-stub"
PCIE_PORT = "pcieport"


@attrs.define(eq=False)
class SimDriver:
    """A driver that is loaded.

    Args:
        name: Its name in sysfs.
        ids: Vendor and product numbers it was built for.
        manages_dma: Whether it leaves DMA to others, so that it may have a device while user space
            owns the IOMMU group (``driver_managed_dma``).
        takes_any: Whether its probe accepts a device that it was not built for.
        is_built_in: Whether it is part of the kernel, and no module.
        added_ids: Those told to it through ``new_id``.
    """

    name: str
    ids: set[tuple[int, int]] = attrs.Factory(set[tuple[int, int]])
    manages_dma: bool = False
    takes_any: bool = False
    is_built_in: bool = False
    added_ids: list[tuple[int, int]] = attrs.Factory(list[tuple[int, int]])

    def matches_id(self, identity: tuple[int, int]) -> bool:
        """Whether a device of this kind, without an override, would be offered to it."""
        return identity in self.added_ids or identity in self.ids

    def matches(self, device: SimPciDevice) -> bool:
        """Whether a device is offered to it; an override decides alone."""
        if device.override is not None:
            return device.override == self.name
        return self.matches_id((device.vendor_id, device.product_id))


def built_in_drivers() -> dict[str, SimDriver]:
    """The drivers every simulated host has, in the order the kernel asks them."""
    found = (
        SimDriver(PCIE_PORT, manages_dma=True, is_built_in=True),
        SimDriver(VFIO_PCI, manages_dma=True, takes_any=True),
        SimDriver(PCI_STUB, manages_dma=True, takes_any=True),
    )
    return {driver.name: driver for driver in found}
