"""An event that was held back is delivered to the next life of the machine."""

from __future__ import annotations

from pyvirt_sim.clients import truth
from pyvirt_sim.qemu import events
from pyvirt_sim.scenarios.failing_disk import EVENT
from pyvirt_sim.scenarios.lives import DISK_RESET
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing

MUTANT = Mutant(
    number=42,
    slug="throttled-io-error-survives-reboot",
    title="An error from before a reset is told after it: a machine that runs counts as paused.",
    sources=("openEuler's QEMU, picked from 42aa18057dee",),
    kind=BugClass.STALE,
    promise="Nothing of before a reset is told after it.",
    replaces=(
        "the simulated QEMU's table of events that come at most once a second: errors of disks "
        "are in it, and a reset drops none that is held back"
    ),
    scenario=DISK_RESET,
    checker=truth.NAME,
    depth=0,
    planted=replacing((events, "RATE_LIMITED", {**events.RATE_LIMITED, EVENT: "device"})),
)
