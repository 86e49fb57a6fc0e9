"""Its author could show it only with a sleep put in."""

from __future__ import annotations

from pyvirt_sim.checkers import incarnation_hygiene
from pyvirt_sim.scenarios.lives import STARTS_AGAIN
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio import DomainStopped
from pyvirt_trio.driver.life import Life
from pyvirt_trio.models.events import StoppedDetail
from pyvirt_trio.qmp.session import QmpSession


async def _watch_monitor(self: Life, session: QmpSession) -> None:
    await session.wait_ended()
    self.announce(None, DomainStopped(**self.stamp, detail=StoppedDetail.FAILED))


MUTANT = Mutant(
    number=44,
    slug="second-stopped-event-from-late-eof",
    title=(
        "The end of the monitor is handled on its own beside the stop that caused it: "
        "STOPPED twice."
    ),
    sources=("libvirt commit 15e786589373",),
    kind=BugClass.DUP,
    promise="A life of a domain stops once.",
    replaces="the watch over the monitor: when it ends, the stop is announced there too",
    scenario=STARTS_AGAIN,
    checker=incarnation_hygiene.NAME,
    depth=1,
    planted=replacing((Life, "_watch_monitor", _watch_monitor)),
)
