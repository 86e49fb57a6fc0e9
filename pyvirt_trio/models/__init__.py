"""Frozen values that describe domains, devices, events and the host's devices.

This package imports nothing of ours except the errors: it can be used to read and write
descriptions without a hypervisor.
"""

from pyvirt_trio.models.addresses import DimmAddress as DimmAddress
from pyvirt_trio.models.addresses import DriveAddress as DriveAddress
from pyvirt_trio.models.addresses import GuestAddress as GuestAddress
from pyvirt_trio.models.addresses import PciAddress as PciAddress
from pyvirt_trio.models.addresses import UsbAddress as UsbAddress
from pyvirt_trio.models.addresses import VirtioSerialAddress as VirtioSerialAddress
from pyvirt_trio.models.character import CharacterSource as CharacterSource
from pyvirt_trio.models.devices import Channel as Channel
from pyvirt_trio.models.devices import Controller as Controller
from pyvirt_trio.models.devices import Device as Device
from pyvirt_trio.models.devices import Disk as Disk
from pyvirt_trio.models.devices import GuestForward as GuestForward
from pyvirt_trio.models.devices import HostDevice as HostDevice
from pyvirt_trio.models.devices import Input as Input
from pyvirt_trio.models.devices import Interface as Interface
from pyvirt_trio.models.devices import RedirectedUsb as RedirectedUsb
from pyvirt_trio.models.devices import Rng as Rng
from pyvirt_trio.models.devices import Serial as Serial
from pyvirt_trio.models.devices import SharedMemory as SharedMemory
from pyvirt_trio.models.devices import Watchdog as Watchdog
from pyvirt_trio.models.domain import DomainDefinition as DomainDefinition
from pyvirt_trio.models.domain import NumaCell as NumaCell
from pyvirt_trio.models.domain import OperatingSystem as OperatingSystem
from pyvirt_trio.models.events import DeviceAdded as DeviceAdded
from pyvirt_trio.models.events import DeviceRemovalFailed as DeviceRemovalFailed
from pyvirt_trio.models.events import DeviceRemoved as DeviceRemoved
from pyvirt_trio.models.events import DomainDefined as DomainDefined
from pyvirt_trio.models.events import DomainEvent as DomainEvent
from pyvirt_trio.models.events import DomainResumed as DomainResumed
from pyvirt_trio.models.events import DomainShutdown as DomainShutdown
from pyvirt_trio.models.events import DomainStarted as DomainStarted
from pyvirt_trio.models.events import DomainStopped as DomainStopped
from pyvirt_trio.models.events import DomainSuspended as DomainSuspended
from pyvirt_trio.models.events import DomainUndefined as DomainUndefined
from pyvirt_trio.models.events import Record as Record
from pyvirt_trio.models.events import ShutdownDetail as ShutdownDetail
from pyvirt_trio.models.events import StoppedDetail as StoppedDetail
from pyvirt_trio.models.host_devices import HostInterface as HostInterface
from pyvirt_trio.models.host_devices import HostMediated as HostMediated
from pyvirt_trio.models.host_devices import HostScsi as HostScsi
from pyvirt_trio.models.host_devices import HostScsiTarget as HostScsiTarget
from pyvirt_trio.models.host_devices import HostUsb as HostUsb
from pyvirt_trio.models.host_devices import OtherHostDevice as OtherHostDevice
from pyvirt_trio.models.impact import Impact as Impact
from pyvirt_trio.models.lifecycle import LifecycleAction as LifecycleAction
from pyvirt_trio.models.lifecycle import LifecycleActions as LifecycleActions
from pyvirt_trio.models.memory import Dimm as Dimm
from pyvirt_trio.models.memory import MemoryDevice as MemoryDevice
from pyvirt_trio.models.memory import Nvdimm as Nvdimm
from pyvirt_trio.models.memory import VirtioMemory as VirtioMemory
from pyvirt_trio.models.memory import VirtioPmem as VirtioPmem
from pyvirt_trio.models.nodedev import PciNodeDevice as PciNodeDevice
from pyvirt_trio.models.nodedev import VfSettings as VfSettings
from pyvirt_trio.models.states import CrashedReason as CrashedReason
from pyvirt_trio.models.states import DomainState as DomainState
from pyvirt_trio.models.states import DomainStatus as DomainStatus
from pyvirt_trio.models.states import PausedReason as PausedReason
from pyvirt_trio.models.states import PmSuspendedReason as PmSuspendedReason
from pyvirt_trio.models.states import RunningReason as RunningReason
from pyvirt_trio.models.states import ShutdownReason as ShutdownReason
from pyvirt_trio.models.states import ShutoffReason as ShutoffReason
