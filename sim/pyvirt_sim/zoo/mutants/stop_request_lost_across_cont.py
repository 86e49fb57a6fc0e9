"""The error was announced, its stop never was."""

from __future__ import annotations

from pyvirt_sim.clients import truth
from pyvirt_sim.scenarios.failing_disk import FailingDisk
from pyvirt_sim.scenarios.lives import DISK_RESUMES
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


def _resumed(self: FailingDisk) -> None:
    self.stop_is_wanted = False


MUTANT = Mutant(
    number=40,
    slug="stop-request-lost-across-cont",
    title=(
        "A resume meets a stop that was asked for and has not come, and swallows it without a word."
    ),
    sources=(
        "QEMU commit 74892d2468b9",
        "QEMU commit 2bd3bce8efeb",
        "QEMU commit 554a310bfe",
    ),
    kind=BugClass.ORDER,
    promise=(
        "A stop that an error has asked for is never lost; a resume in between is paired with it."
    ),
    replaces="the simulated QEMU's resuming before the stop: it sends neither STOP nor RESUME",
    scenario=DISK_RESUMES,
    checker=truth.NAME,
    depth=1,
    planted=replacing((FailingDisk, "resumed_before_stop", _resumed)),
)
