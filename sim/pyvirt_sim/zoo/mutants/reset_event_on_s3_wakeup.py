"""Repaired, and broken again years later."""

from __future__ import annotations

from pyvirt_sim.qemu.machine import Machine
from pyvirt_sim.scenarios.lives import NO_REBOOT, NO_REBOOT_PROMISE, WAKES
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing

_wake_up = Machine.wake_up


def _wake_up_loudly(self: Machine) -> None:
    self.emit("RESET", {"guest": True, "reason": "guest-reset"})
    _wake_up(self)


MUTANT = Mutant(
    number=55,
    slug="reset-event-on-s3-wakeup",
    title="QEMU wakes a sleeping guest by its reset code, and says RESET.",
    sources=(
        "QEMU commit 1405819637f5",
        "QEMU commit 3bf5de524052",
    ),
    kind=BugClass.DUP,
    promise=NO_REBOOT_PROMISE,
    replaces="the simulated QEMU's waking: the reset of the devices is announced",
    scenario=WAKES,
    checker=NO_REBOOT,
    depth=0,
    planted=replacing((Machine, "wake_up", _wake_up_loudly)),
)
