"""ACPI keeps the press until somebody looks."""

from __future__ import annotations

from pyvirt_sim.clients import truth
from pyvirt_sim.scenarios.lives import PRESSED
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio.driver.lifecycle import LifecycleCalls


async def _press(self: LifecycleCalls, name: str, *, reboots: bool) -> None:
    async with self.job.hold(name):
        life = self.running_life()
        life.reboots = reboots
        await life.execute("system_powerdown")


MUTANT = Mutant(
    number=54,
    slug="powerdown-latched-while-paused",
    title=(
        "The power button of a paused guest is pressed, and the guest finds out when it is resumed."
    ),
    sources=(
        "libvirt commit b842741ba467",
        "https://bugzilla.redhat.com/1216281",
    ),
    kind=BugClass.STALE,
    promise="A power button pressed on a paused guest does not act at an unrelated resume.",
    replaces="the pressing of the power button: it does not ask whether the guest runs",
    scenario=PRESSED,
    checker=truth.NAME,
    depth=0,
    planted=replacing((LifecycleCalls, "_press_power_button", _press)),
)
