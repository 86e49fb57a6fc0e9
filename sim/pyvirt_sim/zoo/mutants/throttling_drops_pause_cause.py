"""A limit against floods drops what explains a pause."""

from __future__ import annotations

from pyvirt_sim.clients import truth
from pyvirt_sim.qemu import events
from pyvirt_sim.scenarios.failing_disk import EVENT
from pyvirt_sim.scenarios.lives import DISK_FAILS
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing

MUTANT = Mutant(
    number=41,
    slug="throttling-drops-pause-cause",
    title="The second error within a second is held back, and its STOP goes out alone.",
    sources=("QEMU commit 544ddbb6373d, fixing 2155d2dd7f73",),
    kind=BugClass.LOST,
    promise="Every error that stops the machine is delivered before its STOP.",
    replaces=(
        "the simulated QEMU's table of events that come at most once a second: errors of "
        "disks are in it"
    ),
    scenario=DISK_FAILS,
    checker=truth.NAME,
    depth=0,
    planted=replacing((events, "RATE_LIMITED", {**events.RATE_LIMITED, EVENT: "device"})),
)
