"""The numbers that events carry, with libvirt's names and values (``libvirt-domain.h``)."""

from __future__ import annotations

import enum


class DefinedDetail(enum.IntEnum):
    """libvirt's ``virDomainEventDefinedDetailType``."""

    ADDED = 0
    UPDATED = 1
    RENAMED = 2
    FROM_SNAPSHOT = 3


class UndefinedDetail(enum.IntEnum):
    """libvirt's ``virDomainEventUndefinedDetailType``."""

    REMOVED = 0
    RENAMED = 1


class StartedDetail(enum.IntEnum):
    """libvirt's ``virDomainEventStartedDetailType``."""

    BOOTED = 0
    MIGRATED = 1
    RESTORED = 2
    FROM_SNAPSHOT = 3
    WAKEUP = 4


class SuspendedDetail(enum.IntEnum):
    """libvirt's ``virDomainEventSuspendedDetailType``."""

    PAUSED = 0
    MIGRATED = 1
    IOERROR = 2
    WATCHDOG = 3
    RESTORED = 4
    FROM_SNAPSHOT = 5
    API_ERROR = 6
    POSTCOPY = 7
    POSTCOPY_FAILED = 8


class ResumedDetail(enum.IntEnum):
    """libvirt's ``virDomainEventResumedDetailType``."""

    UNPAUSED = 0
    MIGRATED = 1
    FROM_SNAPSHOT = 2
    POSTCOPY = 3
    POSTCOPY_FAILED = 4


class StoppedDetail(enum.IntEnum):
    """libvirt's ``virDomainEventStoppedDetailType``."""

    SHUTDOWN = 0
    DESTROYED = 1
    CRASHED = 2
    MIGRATED = 3
    SAVED = 4
    FAILED = 5
    FROM_SNAPSHOT = 6


class ShutdownDetail(enum.IntEnum):
    """libvirt's ``virDomainEventShutdownDetailType``."""

    FINISHED = 0
    GUEST = 1
    HOST = 2


class PmSuspendedDetail(enum.IntEnum):
    """libvirt's ``virDomainEventPMSuspendedDetailType``."""

    MEMORY = 0
    DISK = 1


class CrashedDetail(enum.IntEnum):
    """libvirt's ``virDomainEventCrashedDetailType``."""

    PANICKED = 0
    CRASHLOADED = 1


class WatchdogAction(enum.IntEnum):
    """libvirt's ``virDomainEventWatchdogAction``."""

    NONE = 0
    PAUSE = 1
    RESET = 2
    POWEROFF = 3
    SHUTDOWN = 4
    DEBUG = 5
    INJECTNMI = 6


class IoErrorAction(enum.IntEnum):
    """libvirt's ``virDomainEventIOErrorAction``."""

    NONE = 0
    PAUSE = 1
    REPORT = 2


class GraphicsPhase(enum.IntEnum):
    """libvirt's ``virDomainEventGraphicsPhase``."""

    CONNECT = 0
    INITIALIZE = 1
    DISCONNECT = 2


class BlockJobType(enum.IntEnum):
    """libvirt's ``virDomainBlockJobType``."""

    UNKNOWN = 0
    PULL = 1
    COPY = 2
    COMMIT = 3
    ACTIVE_COMMIT = 4
    BACKUP = 5


class BlockJobStatus(enum.IntEnum):
    """libvirt's ``virConnectDomainEventBlockJobStatus``."""

    COMPLETED = 0
    FAILED = 1
    CANCELED = 2
    READY = 3


class DiskChangeReason(enum.IntEnum):
    """libvirt's ``virConnectDomainEventDiskChangeReason``."""

    MISSING_ON_START = 0
    DROP_MISSING_ON_START = 1


class TrayMove(enum.IntEnum):
    """libvirt's ``virDomainEventTrayChangeReason``."""

    OPEN = 0
    CLOSE = 1


class AgentState(enum.IntEnum):
    """libvirt's ``virConnectDomainEventAgentLifecycleState``."""

    CONNECTED = 1
    DISCONNECTED = 2


class AgentReason(enum.IntEnum):
    """libvirt's ``virConnectDomainEventAgentLifecycleReason``."""

    UNKNOWN = 0
    DOMAIN_STARTED = 1
    CHANNEL = 2


class MetadataType(enum.IntEnum):
    """libvirt's ``virDomainMetadataType``."""

    DESCRIPTION = 0
    TITLE = 1
    ELEMENT = 2


class MemoryFailureRecipient(enum.IntEnum):
    """libvirt's ``virDomainMemoryFailureRecipientType``."""

    HYPERVISOR = 0
    GUEST = 1


class MemoryFailureAction(enum.IntEnum):
    """libvirt's ``virDomainMemoryFailureActionType``."""

    IGNORE = 0
    INJECT = 1
    FATAL = 2
    RESET = 3


class MemoryFailureFlag(enum.IntFlag):
    """libvirt's ``virDomainMemoryFailureFlags``."""

    NONE = 0
    ACTION_REQUIRED = 1
    RECURSIVE = 2
