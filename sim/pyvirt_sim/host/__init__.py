"""A simulated Linux host: files, sysfs with PCI devices, vfio, and processes that are QEMUs."""

from pyvirt_sim.host.host import SimHost as SimHost
from pyvirt_sim.host.host import open_sim_host as open_sim_host
from pyvirt_sim.host.pci import SimPciDevice as SimPciDevice
from pyvirt_sim.host.plan import SITES as SITES
from pyvirt_sim.host.plan import HostPlan as HostPlan
