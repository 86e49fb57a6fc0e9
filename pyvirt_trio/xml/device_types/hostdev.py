"""``<hostdev mode='subsystem' type='pci'>``: a PCI device of the host, through vfio-pci."""

from __future__ import annotations

from pyvirt_trio.models import HostDevice
from pyvirt_trio.xml.device_types.base import DeviceType
from pyvirt_trio.xml.element import Element, element
from pyvirt_trio.xml.reader import Reader
from pyvirt_trio.xml.values import pci_address_element, read_pci_address


def read_host_device(reader: Reader) -> HostDevice:
    """A ``HostDevice`` from ``<hostdev mode='subsystem' type='pci'>``."""
    reader.choice("mode", "subsystem", default="subsystem")
    reader.choice("type", "pci")
    is_managed = reader.switch("managed", "yes", "no", default=False)
    driver = reader.child("driver")
    if driver is not None:
        driver.choice("name", "vfio")
    address = reader.required_child("source").required_child("address")
    if not address.element.attributes:
        raise address.wrong("missing attributes 'domain', 'bus', 'slot' and 'function'")
    return HostDevice(source=read_pci_address(address), is_managed=is_managed)


def write_host_device(device: HostDevice) -> Element:
    """The element that ``read_host_device`` reads."""
    return element(
        "hostdev",
        {"mode": "subsystem", "type": "pci", "managed": "yes" if device.is_managed else "no"},
        element("driver", {"name": "vfio"}),
        element("source", None, pci_address_element(device.source)),
    )


HOST_DEVICE = DeviceType(
    tag="hostdev", model=HostDevice, read=read_host_device, write=write_host_device
)
