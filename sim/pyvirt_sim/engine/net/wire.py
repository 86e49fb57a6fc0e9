"""What steps have in common when they use the network, for footprints (see ``footprint``).

A connection is one labelled object, whichever end is used and whatever is between them. What a
machine keeps beside its connections (ports, listeners, who waits to be accepted) is another.
Holding and cutting links, crashing and restarting touch everything, so those steps are open.
"""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from pyvirt_sim.engine.footprint import WRITE
from pyvirt_sim.engine.footprint import _active as active

__all__ = ["Wire", "touch_everything"]


class Wire:
    """One connection, both ends; or one machine's own state."""

    __slots__ = ("_label",)

    def __init__(self, label: str = "") -> None:
        self._label = label
        if active and not label:
            active[0].label(self, "connection")

    def touch(self) -> None:
        """The running step uses it."""
        if active:
            if self._label:
                active[0].touch(self._label, WRITE)
            else:
                active[0].touch_object(self, WRITE)


def touch_everything() -> None:
    """The running step does something to the network that may concern anybody."""
    if active:
        active[0].open_step()
