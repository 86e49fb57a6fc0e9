"""The states a domain can be in, with libvirt's numbers and reasons."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import TypeAlias

import attrs

from pyvirt_trio.models.value import Value


class DomainState(enum.IntEnum):
    """libvirt's ``virDomainState``."""

    NOSTATE = 0
    RUNNING = 1
    PAUSED = 3
    SHUTDOWN = 4
    SHUTOFF = 5
    CRASHED = 6
    PMSUSPENDED = 7


class RunningReason(enum.IntEnum):
    """libvirt's ``virDomainRunningReason``."""

    UNKNOWN = 0
    BOOTED = 1
    MIGRATED = 2
    RESTORED = 3
    FROM_SNAPSHOT = 4
    UNPAUSED = 5
    MIGRATION_CANCELED = 6
    SAVE_CANCELED = 7
    WAKEUP = 8
    CRASHED = 9
    POSTCOPY = 10
    POSTCOPY_FAILED = 11


class PausedReason(enum.IntEnum):
    """libvirt's ``virDomainPausedReason``."""

    UNKNOWN = 0
    USER = 1
    MIGRATION = 2
    SAVE = 3
    DUMP = 4
    IOERROR = 5
    WATCHDOG = 6
    FROM_SNAPSHOT = 7
    SHUTTING_DOWN = 8
    SNAPSHOT = 9
    CRASHED = 10
    STARTING_UP = 11
    POSTCOPY = 12
    POSTCOPY_FAILED = 13


class ShutdownReason(enum.IntEnum):
    """libvirt's ``virDomainShutdownReason``."""

    UNKNOWN = 0
    USER = 1


class ShutoffReason(enum.IntEnum):
    """libvirt's ``virDomainShutoffReason``."""

    UNKNOWN = 0
    SHUTDOWN = 1
    DESTROYED = 2
    CRASHED = 3
    MIGRATED = 4
    SAVED = 5
    FAILED = 6
    FROM_SNAPSHOT = 7
    DAEMON = 8


class CrashedReason(enum.IntEnum):
    """libvirt's ``virDomainCrashedReason``."""

    UNKNOWN = 0
    PANICKED = 1


class PmSuspendedReason(enum.IntEnum):
    """libvirt's ``virDomainPMSuspendedReason``."""

    UNKNOWN = 0


Reason: TypeAlias = (
    RunningReason
    | PausedReason
    | ShutdownReason
    | ShutoffReason
    | CrashedReason
    | PmSuspendedReason
)


REASONS: Mapping[DomainState, Callable[[int], Reason]] = {
    DomainState.NOSTATE: ShutoffReason,
    DomainState.RUNNING: RunningReason,
    DomainState.PAUSED: PausedReason,
    DomainState.SHUTDOWN: ShutdownReason,
    DomainState.SHUTOFF: ShutoffReason,
    DomainState.CRASHED: CrashedReason,
    DomainState.PMSUSPENDED: PmSuspendedReason,
}
"""State -> the reasons it can have, by libvirt's numbers."""


@attrs.frozen(eq=False, repr=False)
class DomainStatus(Value):
    """A state and why the domain is in it, as ``virDomainGetState`` answers."""

    state: DomainState
    reason: Reason

    @property
    def is_active(self) -> bool:
        """True while a QEMU process stands for the domain, one that a panic has stopped too."""
        return self.state not in (DomainState.SHUTOFF, DomainState.NOSTATE)

    def __str__(self) -> str:
        return f"{self.state.name.lower()} ({self.reason.name.lower().replace('_', ' ')})"
