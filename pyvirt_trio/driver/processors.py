"""Stopping and starting the virtual processors, for a reason that the event will tell."""

from __future__ import annotations

from pyvirt_trio.driver.life import Life
from pyvirt_trio.errors import CommandFailedError
from pyvirt_trio.models.states import PausedReason, RunningReason


async def stop_processors(life: Life, reason: PausedReason) -> None:
    """The processors of a running machine stand still, and the domain is paused for ``reason``."""
    life.pause_reason = reason
    try:
        await life.execute("stop")
    except CommandFailedError:  # a caller who was cancelled may still have stopped it
        life.pause_reason = PausedReason.UNKNOWN
        raise


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
