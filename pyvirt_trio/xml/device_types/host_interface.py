"""``<interface type='hostdev'>``: a virtual function of the host's network card."""

from __future__ import annotations

from pyvirt_trio.models import HostInterface
from pyvirt_trio.xml.element import Element, element
from pyvirt_trio.xml.reader import Reader
from pyvirt_trio.xml.values import pci_address_element, read_mac, read_pci_address

MAX_VLAN = 4094
"""802.1Q has 12 bits for it and keeps the first and the last number."""


def read_host_interface(reader: Reader) -> HostInterface:
    """A ``HostInterface`` from ``<interface type='hostdev'>``; the caller has read the type."""
    driver = reader.child("driver")
    if driver is not None:
        driver.choice("name", "vfio")
    address = reader.required_child("source").required_child("address")
    address.choice("type", "pci")
    mac = reader.child("mac")
    vlan = reader.child("vlan")
    tag = None if vlan is None else vlan.required_child("tag")
    return HostInterface(
        source=read_pci_address(address),
        is_managed=reader.switch("managed", "yes", "no", default=False),
        mac=None if mac is None else read_mac(mac),
        vlan=None if tag is None else tag.integer("id", minimum=1, maximum=MAX_VLAN),
    )


def write_host_interface(device: HostInterface) -> Element:
    """The element that ``read_host_interface`` reads."""
    tag = element("tag", {"id": device.vlan})
    return element(
        "interface",
        {"type": "hostdev", "managed": "yes" if device.is_managed else "no"},
        None if device.mac is None else element("mac", {"address": device.mac}),
        element("driver", {"name": "vfio"}),
        element("source", None, pci_address_element(device.source, type_="pci")),
        None if device.vlan is None else element("vlan", None, tag),
    )
