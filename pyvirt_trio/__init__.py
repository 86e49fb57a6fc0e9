"""Manage QEMU virtual machines the way libvirt does, with Trio's structured concurrency."""

# The layers, lowest first; each imports only from those above it in this list.
#
#   0  errors, models            values and exceptions: no trio, no lxml
#   1  xml, qmp.wire             pure: text and bytes to values and back
#   2  abc, host, qmp.session    the seam to the machine; real system calls only in host.real
#   3  driver                    hypervisor, domains, lives, hotplug, removal, journal
#   4  daemon, remote            a hypervisor for other processes
#   5  cli                       parse, call, print
#
# pyvirt_sim, the deterministic simulator, may import layers 0 to 4 and is imported by none of them.

from pyvirt_trio.driver.domain import Domain as Domain
from pyvirt_trio.driver.domain import DomainView as DomainView
from pyvirt_trio.driver.hypervisor import Hypervisor as Hypervisor
from pyvirt_trio.driver.hypervisor import HypervisorView as HypervisorView
from pyvirt_trio.driver.journal import Subscription as Subscription
from pyvirt_trio.driver.nodedev import NodeDevice as NodeDevice
from pyvirt_trio.driver.opening import open_hypervisor as open_hypervisor
from pyvirt_trio.errors import AlreadyExistsError as AlreadyExistsError
from pyvirt_trio.errors import CommandFailedError as CommandFailedError
from pyvirt_trio.errors import ConflictError as ConflictError
from pyvirt_trio.errors import DefinitionError as DefinitionError
from pyvirt_trio.errors import DeviceInUseError as DeviceInUseError
from pyvirt_trio.errors import GuestError as GuestError
from pyvirt_trio.errors import HostError as HostError
from pyvirt_trio.errors import InvalidStateError as InvalidStateError
from pyvirt_trio.errors import JobActiveError as JobActiveError
from pyvirt_trio.errors import MonitorClosedError as MonitorClosedError
from pyvirt_trio.errors import MonitorError as MonitorError
from pyvirt_trio.errors import NotFoundError as NotFoundError
from pyvirt_trio.errors import OutcomeUnknownError as OutcomeUnknownError
from pyvirt_trio.errors import PyvirtError as PyvirtError
from pyvirt_trio.errors import RemoteProtocolError as RemoteProtocolError
from pyvirt_trio.errors import ResyncRequiredError as ResyncRequiredError
from pyvirt_trio.errors import UnplugRefusedError as UnplugRefusedError
from pyvirt_trio.models.addresses import PciAddress as PciAddress
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
from pyvirt_trio.models.impact import Impact as Impact
from pyvirt_trio.models.states import DomainState as DomainState
from pyvirt_trio.models.states import DomainStatus as DomainStatus
