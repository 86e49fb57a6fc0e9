"""The effect is on the wire before the cause."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from pyvirt_sim.clients import truth
from pyvirt_sim.qemu.machine import Machine
from pyvirt_sim.qemu.run_state import RunState
from pyvirt_sim.scenarios.lives import DISK_FAILS
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


def _resume(self: Machine) -> None:
    if self.state is not RunState.RUNNING:
        self._run()
        self.emit("RESUME", None)
        if self.is_fresh:
            self._start_guest()


MUTANT = Mutant(
    number=39,
    slug="io-error-announced-before-resume",
    title="QEMU announces an error of the guest's first moment before the RESUME that caused it.",
    sources=("QEMU commit f056158d694d",),
    kind=BugClass.ORDER,
    promise=(
        "RESUME precedes what the guest does after it; the reason of the last pause is its cause."
    ),
    replaces="the simulated QEMU's resuming: the processors run, then RESUME is sent",
    scenario=DISK_FAILS,
    checker=truth.NAME,
    depth=0,
    planted=replacing((Machine, "resume", _resume)),
)
