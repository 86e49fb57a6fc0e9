"""libvirt's way to wait for DEVICE_DELETED, without its bugs: what several mutants start from.

The detaching call waits five seconds. An event that comes in time is handed to the call, which
finishes the removal itself. A call that has given up must leave no mark, so that a later event goes
to the late path (`removal.device_deleted` begins a removal of its own).
"""

from __future__ import annotations

import trio

from pyvirt_trio.driver.removal import Removal
from pyvirt_trio.errors import GuestError, UnplugRefusedError

WAIT_S = 5.0
"""``qemuDomainRemoveDeviceWaitTime``."""


class GaveUpError(GuestError):
    """The guest has not answered yet; the request stays with it."""


async def await_guest(removal: Removal) -> None:
    """Wait, and look once more before believing the clock."""
    with trio.move_on_after(WAIT_S):
        await removal.answered.wait()
    conclude(removal, has_come=removal.answered.is_set())


async def await_guest_by_the_clock(removal: Removal) -> None:
    """The bug: a wait that has timed out is over, whatever has come meanwhile."""
    with trio.move_on_after(WAIT_S) as wait:
        await removal.answered.wait()
    conclude(removal, has_come=not wait.cancelled_caught)


def conclude(removal: Removal, *, has_come: bool) -> None:
    """Go on with the teardown, or raise."""
    if not has_come:
        raise GaveUpError(f"device {removal.alias} is not gone yet")
    if removal.is_refused:
        raise UnplugRefusedError(f"unplug of device was rejected by the guest: {removal.alias}")
