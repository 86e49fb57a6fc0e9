"""Stopping and starting the virtual processors, for a reason that the event will tell."""

from __future__ import annotations

from pyvirt_trio.driver.life import Life
from pyvirt_trio.errors import CommandFailedError, InvalidStateError
from pyvirt_trio.models.states import DomainState, PausedReason, RunningReason


async def stop_processors(life: Life, reason: PausedReason) -> None:
    """The processors of a running machine stand still, and the domain is paused for ``reason``.

    Raises:
        InvalidStateError: They stand still because the guest has powered off, and will run when the
            machine has been reset. There is nothing in it to be kept.
    """
    life.pause_reason = reason
    try:
        await life.execute("stop")
    except CommandFailedError:  # a caller who was cancelled may still have stopped it
        life.pause_reason = PausedReason.UNKNOWN
        raise
    if life.is_resetting and life.domain.status.state is DomainState.RUNNING:
        life.pause_reason = PausedReason.UNKNOWN
        raise InvalidStateError("domain is just being reset")


async def resume_processors(life: Life, reason: RunningReason) -> None:
    """The processors of a machine run, and the domain is running for ``reason``."""
    life.running_reason = reason
    try:
        await life.execute("cont")
    except CommandFailedError:
        life.running_reason = RunningReason.UNPAUSED
        raise
    # If they ran all the time, no event has taken the reasons of what was not necessary.
    life.pause_reason, life.running_reason = PausedReason.UNKNOWN, RunningReason.UNPAUSED
