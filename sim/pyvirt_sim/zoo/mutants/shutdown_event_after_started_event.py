"""The mirror image of the founding bug: here queueing last is wrong."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import trio

from pyvirt_sim.checkers import incarnation_hygiene
from pyvirt_sim.scenarios.lives import STARTS_AGAIN
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio import DomainStopped
from pyvirt_trio.driver import removal
from pyvirt_trio.driver.life import Life


async def _close(self: Life, _boot: object) -> None:
    self._nursery = self._session = self._process = None
    removal.life_ended(self)
    await self.host_devices.release(self.owner)
    with self.domain.journal.commit() as commit:
        commit.update(self.domain, live=None, status=self._ending.status)
        self.domain.forget_life(self)
    self.ended.set()
    for _ in range(40):  # there is more to tidy up, and then the function is left
        await trio.lowlevel.checkpoint()
    with self.domain.journal.commit() as commit:
        commit.announce(DomainStopped(**self.stamp, detail=self._ending.detail))


MUTANT = Mutant(
    number=56,
    slug="shutdown-event-after-started-event",
    title=(
        "The end of a life is announced when its function is left, and the next life has "
        "begun by then."
    ),
    sources=("libvirt (libxl) commit 4d975deddda7",),
    kind=BugClass.ORDER,
    promise="STOPPED of one life precedes STARTED of the next in every client's stream.",
    replaces=(
        "the end of a life: the state is changed and waiters are woken, the event is "
        "queued at the exit"
    ),
    scenario=STARTS_AGAIN,
    checker=incarnation_hygiene.NAME,
    depth=1,
    planted=replacing((Life, "_close", _close)),
)
