"""Nobody looks again after the await."""

from __future__ import annotations

import contextlib

from pyvirt_sim.checkers import incarnation_hygiene
from pyvirt_sim.scenarios.device_removal import DIES
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing, together, with_record, with_step
from pyvirt_trio.driver import removal
from pyvirt_trio.driver.journal import Commit
from pyvirt_trio.driver.life import Life
from pyvirt_trio.driver.removal import DELETE_BACKENDS, Removal
from pyvirt_trio.errors import PyvirtError

_delete_backends = DELETE_BACKENDS.run


def _begin(self: Life, removal: Removal) -> Removal:
    self.removals[removal.alias] = removal
    self.domain.hypervisor.nursery.start_soon(removal.run, name=f"remove {removal.alias}")
    return removal


async def _delete_anyway(removal: Removal) -> None:
    with contextlib.suppress(PyvirtError):  # "it has gone, then"
        await _delete_backends(removal)


def _forget(removal: Removal, commit: Commit) -> None:
    live = removal.life.domain.view.live
    device = None if live is None else live.device(removal.alias)
    if live is not None and device is not None:
        commit.update(removal.life.domain, live=live.without_device(device))


def _nobody_is_told(_: Life) -> None:
    """The removals do not hear of the end of the life."""


MUTANT = Mutant(
    number=9,
    slug="domain-died-inside-detach-monitor-call",
    title="A removal goes on after its domain has died in the middle of a call, and announces it.",
    sources=(
        "libvirt commit 6edb97f29af5",
        "https://bugzilla.redhat.com/1161024",
    ),
    kind=BugClass.TOCTOU,
    promise=(
        "After any call to the monitor the operation looks whether the same life is still there."
    ),
    replaces=(
        "where removals run (in the hypervisor, not in the life), and their steps: none "
        "looks whether the life is over"
    ),
    scenario=DIES,
    checker=incarnation_hygiene.NAME,
    depth=1,
    planted=together(
        with_step(DELETE_BACKENDS, _delete_anyway),
        with_record(removal.FORGET, _forget),
        replacing((Life, "begin_removal", _begin), (removal, "life_ended", _nobody_is_told)),
    ),
)
