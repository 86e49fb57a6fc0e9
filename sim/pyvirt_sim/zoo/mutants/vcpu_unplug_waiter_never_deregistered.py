"""The mark of a waiter outlives the waiter."""

from __future__ import annotations

from pyvirt_sim.scenarios.device_removal import LATE
from pyvirt_sim.scenarios.stage import AGREE
from pyvirt_sim.zoo.libvirt_waiter import await_guest
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing, together, with_step
from pyvirt_trio.driver.removal import AWAIT_GUEST, Removal
from pyvirt_trio.errors import PyvirtError


def _fail_and_stay(self: Removal, error: PyvirtError | None) -> None:
    self.error = self.error or error
    self.asked.set()
    self.finished.set()


MUTANT = Mutant(
    number=4,
    slug="vcpu-unplug-waiter-never-deregistered",
    title="A waiter that has given up stays registered, and the late event is handed to nobody.",
    sources=(
        "libvirt commit 8af68ea47830",
        "https://bugzilla.redhat.com/1428893",
        "https://bugzilla.redhat.com/1427801",
    ),
    kind=BugClass.LOST,
    promise="After a waiter has given up, a later DEVICE_DELETED goes the late way.",
    replaces=(
        "libvirt's five-second wait, and the end of a removal: one that gave up is not "
        "taken off the list"
    ),
    scenario=LATE,
    checker=AGREE,
    depth=0,
    planted=together(
        with_step(AWAIT_GUEST, await_guest), replacing((Removal, "fail", _fail_and_stay))
    ),
)
