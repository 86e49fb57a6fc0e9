"""Node devices: libvirt's view of the host's devices, as far as they are PCI functions."""

from __future__ import annotations

import re

from pyvirt_trio.abc import Host
from pyvirt_trio.errors import DefinitionError, NotFoundError
from pyvirt_trio.host.pci import PciBus, unknown_node_device
from pyvirt_trio.models import PciAddress, PciNodeDevice

_NAME = re.compile(r"pci_([0-9a-f]{4,8})_([0-9a-f]{2})_([0-9a-f]{2})_([0-7])")


def address_of(name: str) -> PciAddress:
    """The PCI address that the node device called ``name`` would have.

    Args:
        name: libvirt's form, ``pci_0000_01_00_0``, with the digits exactly as libvirt writes them:
            a node device has one name.

    Raises:
        NotFoundError: (53) ``name`` is not the name of any PCI node device.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise unknown_node_device(name)
    try:
        address = PciAddress(*(int(part, 16) for part in match.groups()))
    except DefinitionError as error:
        raise unknown_node_device(name) from error
    if address.node_device_name != name:
        raise unknown_node_device(name)
    return address


async def list_node_devices(host: Host) -> list[PciNodeDevice]:
    """All PCI devices of the host, ordered by address (``virConnectListAllNodeDevices``).

    A device that leaves the host while the list is made is left out.

    Raises:
        HostError: sysfs cannot be read.

    Cancellation:
        Nothing is changed.
    """
    bus = PciBus(host)
    found: list[PciNodeDevice] = []
    for address in await bus.addresses():
        try:
            found.append(await bus.describe(address))
        except NotFoundError:
            continue
    return found


async def find_node_device(host: Host, name: str) -> PciNodeDevice:
    """The node device called ``name`` (``virNodeDeviceLookupByName``).

    Raises:
        NotFoundError: (53) There is none.
        HostError: sysfs cannot be read.

    Cancellation:
        Nothing is changed.
    """
    return await PciBus(host).describe(address_of(name))
