"""A condition that nobody will signal."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from pyvirt_sim.checkers import no_waiter_left
from pyvirt_sim.scenarios.monitors import SESSION_CLOSES
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio.errors import MonitorError
from pyvirt_trio.qmp.session import QmpSession


def _finish(self: QmpSession, end: MonitorError) -> None:
    self._end = end
    self._refuse_outboxes()
    self._queue.close(None)
    self._greeted.set()
    self._ended.set()


MUTANT = Mutant(
    number=47,
    slug="query-waits-on-closed-monitor",
    title="The monitor is closed, and those who wait for a reply are not told.",
    sources=("libvirt commit 6948b725e780",),
    kind=BugClass.WAIT,
    promise="Closing the monitor fails every caller that waits for a reply.",
    replaces="the end of a QMP session: requests that were sent are forgotten",
    scenario=SESSION_CLOSES,
    checker=no_waiter_left.NAME,
    depth=1,
    planted=replacing((QmpSession, "_finish", _finish)),
)
