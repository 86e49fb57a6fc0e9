"""A timer and an event at the same instant: the waiter takes the timer's word."""

from __future__ import annotations

from pyvirt_sim.scenarios.device_removal import AT_FIVE
from pyvirt_sim.scenarios.stage import AGREE
from pyvirt_sim.zoo.libvirt_waiter import await_guest_by_the_clock
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import with_step
from pyvirt_trio.driver.removal import AWAIT_GUEST

MUTANT = Mutant(
    number=3,
    slug="detach-timeout-swallows-deleted-event",
    title=(
        "The detaching call believes its timer, and drops an event that was handed to it meanwhile."
    ),
    sources=(
        "libvirt 9.5.0, release note on a race when detaching a device",
        "libvirt 9.0.0, qemuDomainWaitForDeviceRemoval",
    ),
    kind=BugClass.LOST,
    promise="DEVICE_DELETED is answered by exactly one party, whatever the timing of a timeout.",
    replaces=(
        "the step that awaits DEVICE_DELETED: libvirt's five seconds, without a second "
        "look after them"
    ),
    scenario=AT_FIVE,
    checker=AGREE,
    depth=1,
    planted=with_step(AWAIT_GUEST, await_guest_by_the_clock),
)
