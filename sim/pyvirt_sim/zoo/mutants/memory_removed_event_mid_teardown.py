"""The event goes out before the last call to the monitor, which lets observers in."""

from __future__ import annotations

from pyvirt_sim.scenarios.device_removal import QUICK, REMOVED_IS_TRUE, REMOVED_PROMISE
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import with_row
from pyvirt_trio.driver.removal import ANNOUNCE, ASK_GUEST, AWAIT_GUEST, DELETE_BACKENDS, FORGET
from pyvirt_trio.models import Rng

MUTANT = Mutant(
    number=2,
    slug="memory-removed-event-mid-teardown",
    title=(
        "DeviceRemoved is announced while a back end is still being deleted: the definition has it."
    ),
    sources=(
        "libvirt commit 1d4fd2dd0fe0",
        "https://bugzilla.redhat.com/1414393",
    ),
    kind=BugClass.PREM,
    promise=REMOVED_PROMISE,
    replaces=(
        "the removal table's row for rng: ANNOUNCE comes before the monitor call that "
        "deletes the back end"
    ),
    scenario=QUICK,
    checker=REMOVED_IS_TRUE,
    depth=1,
    planted=with_row(Rng, ASK_GUEST, AWAIT_GUEST, ANNOUNCE, DELETE_BACKENDS, FORGET),
)
