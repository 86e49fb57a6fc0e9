"""The PCI devices of a simulated host, and what the kernel (6.1) does with them.

Layers, lowest first:

    text        what is written into sysfs, read as the kernel reads it
    device      one device: what it is, and its state
    drivers     drivers and which devices they match
    uevents     what the kernel tells those who listen
    model       the bus: bind, unbind, probe, devices that come and go
    vfio        IOMMU groups, their owner, and the files of /dev/vfio
    reset       the ways to reset a device
    sriov       virtual functions
"""

from pyvirt_sim.host.pci.device import SimPciDevice as SimPciDevice
from pyvirt_sim.host.pci.drivers import VFIO_PCI as VFIO_PCI
from pyvirt_sim.host.pci.drivers import SimDriver as SimDriver
from pyvirt_sim.host.pci.model import PciModel as PciModel
from pyvirt_sim.host.pci.uevents import Uevent as Uevent
from pyvirt_sim.host.pci.uevents import UeventSocket as UeventSocket
