"""Devices of the host."""

from __future__ import annotations

import attrs

from pyvirt_trio.models.addresses import PciAddress
from pyvirt_trio.models.value import Value


@attrs.frozen(kw_only=True, eq=False, repr=False)
class PciNodeDevice(Value):
    """A PCI device of the host as sysfs shows it at one moment.

    Args:
        address: Where it is.
        vendor_id: PCI vendor number, for example 0x8086.
        product_id: PCI product number.
        class_code: 24-bit PCI class, for example 0x020000 for Ethernet.
        driver: Name of the kernel driver bound to it, ``None`` when there is none.
        iommu_group: Number of its IOMMU group, ``None`` without an IOMMU.
    """

    address: PciAddress
    vendor_id: int
    product_id: int
    class_code: int
    driver: str | None
    iommu_group: int | None

    @property
    def name(self) -> str:
        """libvirt's name, for example ``pci_0000_01_00_0``."""
        return self.address.node_device_name


@attrs.frozen(eq=False, repr=False)
class VfSettings(Value):
    """What a network card does with the packets of one of its virtual functions.

    Args:
        mac: The address that the function may use; all zero when the card does not mind.
        vlan: Number of the VLAN that all its packets are in; 0 for none.
    """

    mac: str
    vlan: int = 0
