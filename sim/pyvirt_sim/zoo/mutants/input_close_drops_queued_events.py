"""The queue is cleared instead of flushed."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from pyvirt_sim.host.streams import ServerEnd
from pyvirt_sim.scenarios.monitors import LAST_WORDS, LAST_WORDS_PROMISE, POWERS_OFF
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing

_close = ServerEnd.close_nowait


def _close_and_drop(self: ServerEnd) -> None:
    self._outgoing._data.clear()
    _close(self)


MUTANT = Mutant(
    number=115,
    slug="input-close-drops-queued-events",
    title="QEMU empties its output queue when it closes: SHUTDOWN does not reach anybody.",
    sources=("QEMU commit c73a843b4a82",),
    kind=BugClass.LOST,
    promise=LAST_WORDS_PROMISE,
    replaces="the simulated QEMU's closing of a connection: what has not been read is dropped",
    scenario=POWERS_OFF,
    checker=LAST_WORDS,
    depth=1,
    planted=replacing((ServerEnd, "close_nowait", _close_and_drop)),
)
