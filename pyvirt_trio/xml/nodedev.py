"""Devices of the host as libvirt's node device XML."""

from __future__ import annotations

from collections.abc import Iterable

from pyvirt_trio.models import PciAddress, PciNodeDevice
from pyvirt_trio.xml.element import Element, element, render, text_element
from pyvirt_trio.xml.values import pci_address_element


def format_node_device(device: PciNodeDevice, *, group_members: Iterable[PciAddress] = ()) -> str:
    """``device`` as ``virsh nodedev-dumpxml`` shows it.

    Args:
        device: What to describe.
        group_members: All devices of its IOMMU group, itself included; they are printed in
            ascending order. Left out, only the number of the group is printed.
    """
    driver = text_element("name", device.driver)
    root = element(
        "device",
        None,
        text_element("name", device.name),
        text_element("path", f"/sys/bus/pci/devices/{device.address}"),
        None if driver is None else element("driver", None, driver),
        _capability(device, group_members),
    )
    return render(root)


def _capability(device: PciNodeDevice, group_members: Iterable[PciAddress]) -> Element:
    address = device.address
    group = None
    if device.iommu_group is not None:
        members = (pci_address_element(member) for member in sorted(group_members))
        group = element("iommuGroup", {"number": device.iommu_group}, *members)
    return element(
        "capability",
        {"type": "pci"},
        text_element("class", f"0x{device.class_code:06x}"),
        text_element("domain", address.domain),
        text_element("bus", address.bus),
        text_element("slot", address.slot),
        text_element("function", address.function),
        element("product", {"id": f"0x{device.product_id:04x}"}),
        element("vendor", {"id": f"0x{device.vendor_id:04x}"}),
        group,
    )
