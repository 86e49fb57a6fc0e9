"""One object's news hides another one's."""

from __future__ import annotations

from pyvirt_sim.clients import truth
from pyvirt_sim.qemu import events
from pyvirt_sim.scenarios.agents import PORTS
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing

MUTANT = Mutant(
    number=120,
    slug="throttle-key-too-coarse",
    title="Events of all ports share one limit: the last port's event replaces another one's.",
    sources=(
        "QEMU commit 7de0be6573af",
        "QEMU commit 77ae2302ae16",
        "QEMU commit 6d425eb94d34",
    ),
    kind=BugClass.LOST,
    promise="The last change of each object is announced in the end.",
    replaces=(
        "the simulated QEMU's table of limits: VSERPORT_CHANGE is counted for all ports together"
    ),
    scenario=PORTS,
    checker=truth.NAME,
    depth=0,
    planted=replacing((events, "RATE_LIMITED", {**events.RATE_LIMITED, "VSERPORT_CHANGE": None})),
)
