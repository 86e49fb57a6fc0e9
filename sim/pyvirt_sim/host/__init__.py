"""A simulated Linux host: files on a disk, sysfs with PCI devices, vfio, and QEMU processes."""

from pyvirt_sim.host.host import SimHost as SimHost
from pyvirt_sim.host.machine import SimMachine as SimMachine
from pyvirt_sim.host.machine import open_sim_host as open_sim_host
from pyvirt_sim.host.machine import open_sim_machine as open_sim_machine
from pyvirt_sim.host.pci import SimDriver as SimDriver
from pyvirt_sim.host.pci import SimPciDevice as SimPciDevice
from pyvirt_sim.host.pci import Uevent as Uevent
from pyvirt_sim.host.pci import UeventSocket as UeventSocket
from pyvirt_sim.host.plan import HostPlan as HostPlan
from pyvirt_sim.host.sites import LATENCIES_S as LATENCIES_S
from pyvirt_sim.host.sites import SITES as SITES
from pyvirt_sim.host.sites import Site as Site
