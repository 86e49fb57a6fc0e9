"""The ways in which a life ends."""

from __future__ import annotations

import enum

from pyvirt_trio.models.events import StoppedDetail
from pyvirt_trio.models.states import DomainState, DomainStatus, ShutoffReason


class Ending(enum.Enum):
    """How a life ends: what `DomainStopped` says of it, and the reason of the state after it."""

    NOT_STARTED = (StoppedDetail.FAILED, ShutoffReason.FAILED)
    LOST = (StoppedDetail.FAILED, ShutoffReason.CRASHED)
    """QEMU ended without a SHUTDOWN event. libvirt takes it for a crash, and announces a failure
    (``processMonitorEOFEvent``)."""
    SHUT_DOWN = (StoppedDetail.SHUTDOWN, ShutoffReason.SHUTDOWN)
    DESTROYED = (StoppedDetail.DESTROYED, ShutoffReason.DESTROYED)
    CRASHED = (StoppedDetail.CRASHED, ShutoffReason.CRASHED)
    SAVED = (StoppedDetail.SAVED, ShutoffReason.SAVED)

    @property
    def detail(self) -> StoppedDetail:
        """What is announced."""
        return self.value[0]

    @property
    def status(self) -> DomainStatus:
        """What the domain is then."""
        return DomainStatus(DomainState.SHUTOFF, self.value[1])
