"""The states a domain can be in, with libvirt's numbers and reasons."""

from __future__ import annotations

import enum

import attrs


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
    UNPAUSED = 5


class PausedReason(enum.IntEnum):
    """libvirt's ``virDomainPausedReason``."""

    UNKNOWN = 0
    USER = 1
    STARTING_UP = 11


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
    FAILED = 6


@attrs.frozen
class DomainStatus:
    """A state and why the domain is in it, as ``virDomainGetState`` answers."""

    state: DomainState
    reason: RunningReason | PausedReason | ShutdownReason | ShutoffReason

    @property
    def is_active(self) -> bool:
        """True while a QEMU process stands for the domain."""
        return self.state not in (DomainState.SHUTOFF, DomainState.CRASHED, DomainState.NOSTATE)

    def __str__(self) -> str:
        return f"{self.state.name.lower()} ({self.reason.name.lower().replace('_', ' ')})"
