"""What an observer of a hypervisor is told, as past-tense facts.

An event is appended to the journal in the same synchronous step that changes what it tells of, so
whoever receives one can ask any question and gets an answer that already agrees with it.

Each class says which of libvirt's events it is: ``libvirt_ids`` are the numbers under which a
libvirt client registers for it (``virDomainEventID``, or ``virNodeDeviceEventID``), and
``libvirt_name`` is what ``virsh event --list`` calls it. Details carry libvirt's own numbers.
"""

from __future__ import annotations

import uuid
from typing import ClassVar

import attrs

from pyvirt_trio.errors import DefinitionError, ErrorCode
from pyvirt_trio.models.event_details import AgentReason as AgentReason
from pyvirt_trio.models.event_details import AgentState as AgentState
from pyvirt_trio.models.event_details import BlockJobStatus as BlockJobStatus
from pyvirt_trio.models.event_details import BlockJobType as BlockJobType
from pyvirt_trio.models.event_details import CrashedDetail as CrashedDetail
from pyvirt_trio.models.event_details import DefinedDetail as DefinedDetail
from pyvirt_trio.models.event_details import DiskChangeReason as DiskChangeReason
from pyvirt_trio.models.event_details import GraphicsPhase as GraphicsPhase
from pyvirt_trio.models.event_details import IoErrorAction as IoErrorAction
from pyvirt_trio.models.event_details import MemoryFailureAction as MemoryFailureAction
from pyvirt_trio.models.event_details import MemoryFailureFlag as MemoryFailureFlag
from pyvirt_trio.models.event_details import MemoryFailureRecipient as MemoryFailureRecipient
from pyvirt_trio.models.event_details import MetadataType as MetadataType
from pyvirt_trio.models.event_details import PmSuspendedDetail as PmSuspendedDetail
from pyvirt_trio.models.event_details import ResumedDetail as ResumedDetail
from pyvirt_trio.models.event_details import ShutdownDetail as ShutdownDetail
from pyvirt_trio.models.event_details import StartedDetail as StartedDetail
from pyvirt_trio.models.event_details import StoppedDetail as StoppedDetail
from pyvirt_trio.models.event_details import SuspendedDetail as SuspendedDetail
from pyvirt_trio.models.event_details import TrayMove as TrayMove
from pyvirt_trio.models.event_details import UndefinedDetail as UndefinedDetail
from pyvirt_trio.models.event_details import WatchdogAction as WatchdogAction
from pyvirt_trio.models.value import Value


@attrs.frozen(kw_only=True, eq=False, repr=False)
class HypervisorEvent(Value):
    """Anything the journal of a hypervisor tells: of a domain, or of a device of the host."""

    libvirt_ids: ClassVar[tuple[int, ...]] = ()
    libvirt_name: ClassVar[str] = ""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DomainEvent(HypervisorEvent):
    """What all domain events have in common.

    Args:
        domain: Name of the domain when the event happened.
        uuid: Its identity.
        life: Which start of the domain this belongs to (1, 2, ...); 0 before the first.
    """

    domain: str
    uuid: uuid.UUID
    life: int


# -- the life of a domain: libvirt's event 0 ------------------------------------------------------


@attrs.frozen(kw_only=True, eq=False, repr=False)
class LifecycleEvent(DomainEvent):
    """A domain came into being, changed its state, or went (libvirt's event 0).

    ``libvirt_type`` is the number of the subclass in ``virDomainEventType``.
    """

    libvirt_ids = (0,)
    libvirt_name = "lifecycle"
    libvirt_type: ClassVar[int]


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DomainDefined(LifecycleEvent):
    """A persistent definition was added, replaced, or got a new name."""

    libvirt_type = 0
    detail: DefinedDetail


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DomainUndefined(LifecycleEvent):
    """The persistent definition is gone, or gone under this name."""

    libvirt_type = 1
    detail: UndefinedDetail = UndefinedDetail.REMOVED


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DomainStarted(LifecycleEvent):
    """A QEMU process stands for the domain, and its monitor answers."""

    libvirt_type = 2
    detail: StartedDetail = StartedDetail.BOOTED


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DomainSuspended(LifecycleEvent):
    """The virtual processors stand still."""

    libvirt_type = 3
    detail: SuspendedDetail = SuspendedDetail.PAUSED


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DomainResumed(LifecycleEvent):
    """The virtual processors run."""

    libvirt_type = 4
    detail: ResumedDetail = ResumedDetail.UNPAUSED


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DomainStopped(LifecycleEvent):
    """The QEMU process is gone, and the host devices of this life are given back."""

    libvirt_type = 5
    detail: StoppedDetail


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DomainShutdown(LifecycleEvent):
    """The guest has finished, and QEMU is about to exit."""

    libvirt_type = 6
    detail: ShutdownDetail


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DomainPmSuspended(LifecycleEvent):
    """The guest has put itself to sleep (its state is then ``pmsuspended``)."""

    libvirt_type = 7
    detail: PmSuspendedDetail = PmSuspendedDetail.MEMORY


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DomainCrashed(LifecycleEvent):
    """The guest's kernel has told of its own crash."""

    libvirt_type = 8
    detail: CrashedDetail = CrashedDetail.PANICKED


# -- what a running machine does ------------------------------------------------------------------


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DomainRebooted(DomainEvent):
    """The guest, or somebody at the monitor, has reset the machine; the life goes on."""

    libvirt_ids = (1,)
    libvirt_name = "reboot"


@attrs.frozen(kw_only=True, eq=False, repr=False)
class RtcChanged(DomainEvent):
    """The guest has set its clock; ``offset_s`` is how far it is ahead of UTC, in seconds."""

    libvirt_ids = (2,)
    libvirt_name = "rtc-change"
    offset_s: int


@attrs.frozen(kw_only=True, eq=False, repr=False)
class WatchdogFired(DomainEvent):
    """The guest's watchdog was not fed in time, and QEMU did what ``action`` says."""

    libvirt_ids = (3,)
    libvirt_name = "watchdog"
    action: WatchdogAction


@attrs.frozen(kw_only=True, eq=False, repr=False)
class IoErrorOccurred(DomainEvent):
    """A disk of the host failed the guest (libvirt's events 4 and, with the reason, 6).

    Args:
        source: File or device behind the disk.
        alias: The disk.
        action: What QEMU did about it.
        reason: ``enospc`` when there was no room left, otherwise empty.
    """

    libvirt_ids = (4, 6)
    libvirt_name = "io-error-reason"
    source: str
    alias: str
    action: IoErrorAction
    reason: str = ""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class GraphicsChanged(DomainEvent):
    """Somebody has connected to the graphical console, has been let in, or has left.

    Args:
        phase: Which of the three.
        local: Address of the console, as ``host:service``.
        remote: Address of the client.
        auth_scheme: How the client has shown who it is; empty when it need not.
    """

    libvirt_ids = (5,)
    libvirt_name = "graphics"
    phase: GraphicsPhase
    local: str
    remote: str
    auth_scheme: str = ""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ControlFailed(DomainEvent):
    """QEMU's monitor talks nonsense or has broken off: the domain can no longer be controlled."""

    libvirt_ids = (7,)
    libvirt_name = "control-error"


@attrs.frozen(kw_only=True, eq=False, repr=False)
class BlockJobChanged(DomainEvent):
    """A job on a disk is ready, or has ended (libvirt's events 8, by path, and 16, by target).

    Args:
        path: Source of the disk.
        target: Its name in the guest, such as ``vda``.
        type: What kind of job.
        status: How it stands.
    """

    libvirt_ids = (8, 16)
    libvirt_name = "block-job-2"
    path: str
    target: str
    type: BlockJobType
    status: BlockJobStatus


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DiskChanged(DomainEvent):
    """A start found a disk's source missing and went on without it, as its policy says."""

    libvirt_ids = (9,)
    libvirt_name = "disk-change"
    alias: str
    old_source: str | None
    new_source: str | None
    reason: DiskChangeReason


@attrs.frozen(kw_only=True, eq=False, repr=False)
class TrayMoved(DomainEvent):
    """The tray of a removable drive has opened or closed."""

    libvirt_ids = (10,)
    libvirt_name = "tray-change"
    alias: str
    move: TrayMove


@attrs.frozen(kw_only=True, eq=False, repr=False)
class GuestWoke(DomainEvent):
    """The guest has woken up from its sleep."""

    libvirt_ids = (11,)
    libvirt_name = "pm-wakeup"


@attrs.frozen(kw_only=True, eq=False, repr=False)
class GuestSlept(DomainEvent):
    """The guest has gone to sleep, its state in its memory."""

    libvirt_ids = (12,)
    libvirt_name = "pm-suspend"


@attrs.frozen(kw_only=True, eq=False, repr=False)
class BalloonChanged(DomainEvent):
    """The guest has given memory back, or has got some; it now has ``actual_kib``."""

    libvirt_ids = (13,)
    libvirt_name = "balloon-change"
    actual_kib: int


@attrs.frozen(kw_only=True, eq=False, repr=False)
class GuestHibernated(DomainEvent):
    """The guest has gone to sleep, its state on its disk."""

    libvirt_ids = (14,)
    libvirt_name = "pm-suspend-disk"


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DeviceRemoved(DomainEvent):
    """A device has left the running domain, and every trace of it is gone.

    The alias is in no definition, a host device is in no active list, backends are deleted.
    """

    libvirt_ids = (15,)
    libvirt_name = "device-removed"
    alias: str


@attrs.frozen(kw_only=True, eq=False, repr=False)
class TunableChanged(DomainEvent):
    """Tuning parameters of the running domain were set, under libvirt's names for them."""

    libvirt_ids = (17,)
    libvirt_name = "tunable"
    parameters: tuple[tuple[str, int | str | bool], ...]


@attrs.frozen(kw_only=True, eq=False, repr=False)
class AgentStateChanged(DomainEvent):
    """The guest's agent has opened its channel, or has closed it."""

    libvirt_ids = (18,)
    libvirt_name = "agent-lifecycle"
    state: AgentState
    reason: AgentReason


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DeviceAdded(DomainEvent):
    """A device was plugged in and is in the live definition."""

    libvirt_ids = (19,)
    libvirt_name = "device-added"
    alias: str


@attrs.frozen(kw_only=True, eq=False, repr=False)
class MigrationIterated(DomainEvent):
    """A migration has begun to send the guest's memory for the ``iteration``-th time."""

    libvirt_ids = (20,)
    libvirt_name = "migration-iteration"
    iteration: int


@attrs.frozen(kw_only=True, eq=False, repr=False)
class JobCompleted(DomainEvent):
    """A long job of the domain (save, dump, migration) has ended.

    Args:
        operation: What it was, in libvirt's words (``virDomainJobOperation``), such as ``save``.
        is_success: Whether it reached its end.
        statistics: What it did, under libvirt's names (``VIR_DOMAIN_JOB_*``).
        error: Why it failed.
    """

    libvirt_ids = (21,)
    libvirt_name = "job-completed"
    operation: str
    is_success: bool
    statistics: tuple[tuple[str, int], ...] = ()
    error: str | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DeviceRemovalFailed(DomainEvent):
    """The guest refused to give a device up; it stays."""

    libvirt_ids = (22,)
    libvirt_name = "device-removal-failed"
    alias: str


@attrs.frozen(kw_only=True, eq=False, repr=False)
class MetadataChanged(DomainEvent):
    """Title, description or the metadata element of namespace ``uri`` was set or removed."""

    libvirt_ids = (23,)
    libvirt_name = "metadata-change"
    type: MetadataType
    uri: str | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class BlockThresholdExceeded(DomainEvent):
    """A guest has written beyond the mark that was set in a disk's source.

    Args:
        target: The disk's name in the guest, with the source's index, such as ``vda[1]``.
        path: The source, when it is a local file.
        threshold_bytes: The mark.
        excess_bytes: How far beyond it the write went.
    """

    libvirt_ids = (24,)
    libvirt_name = "block-threshold"
    target: str
    path: str | None
    threshold_bytes: int
    excess_bytes: int


@attrs.frozen(kw_only=True, eq=False, repr=False)
class MemoryFailed(DomainEvent):
    """Memory of the host is damaged where the guest uses it."""

    libvirt_ids = (25,)
    libvirt_name = "memory-failure"
    recipient: MemoryFailureRecipient
    action: MemoryFailureAction
    flags: MemoryFailureFlag = MemoryFailureFlag.NONE


@attrs.frozen(kw_only=True, eq=False, repr=False)
class MemoryDeviceSizeChanged(DomainEvent):
    """The guest uses another part of a virtio-mem device than before: ``size_kib`` of it."""

    libvirt_ids = (26,)
    libvirt_name = "memory-device-size-change"
    alias: str
    size_kib: int


# -- devices of the host --------------------------------------------------------------------------


@attrs.frozen(kw_only=True, eq=False, repr=False)
class NodeDeviceEvent(HypervisorEvent):
    """What all events of the host's devices have in common.

    Args:
        device: libvirt's name of the device, such as ``pci_0000_01_00_0``.
    """

    device: str


@attrs.frozen(kw_only=True, eq=False, repr=False)
class NodeDeviceCreated(NodeDeviceEvent):
    """The host has a device that it did not have before."""

    libvirt_ids = (0,)
    libvirt_name = "lifecycle"
    libvirt_type: ClassVar[int] = 0


@attrs.frozen(kw_only=True, eq=False, repr=False)
class NodeDeviceDeleted(NodeDeviceEvent):
    """A device of the host is gone."""

    libvirt_ids = (0,)
    libvirt_name = "lifecycle"
    libvirt_type: ClassVar[int] = 1


@attrs.frozen(kw_only=True, eq=False, repr=False)
class NodeDeviceUpdated(NodeDeviceEvent):
    """A device of the host has another driver than before, ``None`` when it has none."""

    libvirt_ids = (1,)
    libvirt_name = "update"
    driver: str | None


@attrs.frozen(eq=False, repr=False)
class Cursor(Value):
    """A place in a journal: its reader knows everything up to and with ``sequence``.

    As text, ``JOURNAL:SEQUENCE``, it can be kept and given to `Hypervisor.resume` later.

    Args:
        journal: Which journal; a manager that starts anew may begin a new one.
        sequence: Number of the latest event known.
    """

    journal: str
    sequence: int

    def __str__(self) -> str:
        return f"{self.journal}:{self.sequence}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """The cursor that ``str`` made ``text`` of.

        Raises:
            DefinitionError: It is none.
        """
        journal, separator, number = text.rpartition(":")
        if not (separator and journal and number.isascii() and number.isdecimal()):
            raise DefinitionError(
                f"{text!r} is not a cursor such as JOURNAL:12", code=ErrorCode.INVALID_ARG
            )
        return cls(journal, int(number))


@attrs.frozen(eq=False, repr=False)
class Record(Value):
    """One entry of the journal: the event and its number.

    Args:
        sequence: 1, 2, 3, ... per hypervisor, without gaps.
        event: What happened.
        time_s: When, in seconds since 1970-01-01 UTC, for people to read.
    """

    sequence: int
    event: HypervisorEvent
    time_s: float = 0.0
