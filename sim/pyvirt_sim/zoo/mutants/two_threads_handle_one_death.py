"""Who sees the process end cleans up, and so does who has ended it."""

from __future__ import annotations

from pyvirt_sim.scenarios.lives import STARTS_AGAIN
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio.abc import Process
from pyvirt_trio.driver.ending import Ending
from pyvirt_trio.driver.life import Life
from pyvirt_trio.models.events import DomainStopped


async def _clean_up_too(self: Life, process: Process) -> None:
    await process.wait()
    ending = Ending.LOST
    with self.domain.journal.commit() as commit:
        commit.update(self.domain, live=None, status=ending.status, id=None)
        commit.announce(DomainStopped(**self.stamp, detail=ending.detail))


MUTANT = Mutant(
    number=57,
    slug="two-threads-handle-one-death",
    title="A domain is destroyed, its process ends, and both are seen to at the same time.",
    sources=("libvirt 7.1.0 release note on libxl", "libvirt commit fa30ee04a2"),
    kind=BugClass.DUP,
    promise="One end of a life is seen to once.",
    replaces="the watch over the process: it cleans up itself, beside the end of the life",
    scenario=STARTS_AGAIN,
    checker="incarnation-hygiene",
    depth=1,
    planted=replacing((Life, "_watch_process", _clean_up_too)),
)
