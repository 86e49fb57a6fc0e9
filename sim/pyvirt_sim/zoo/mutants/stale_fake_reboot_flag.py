"""A flag that only one of two requests sets, and neither clears."""

from __future__ import annotations

from pyvirt_sim.clients import truth
from pyvirt_sim.scenarios.lives import FORGETS
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio.driver.lifecycle import LifecycleCalls


async def _press(self: LifecycleCalls, name: str, *, reboots: bool) -> None:
    async with self.job.hold(name):
        life = self.running_life()
        if reboots:
            life.reboots = True
        await life.execute("system_powerdown")


MUTANT = Mutant(
    number=53,
    slug="stale-fake-reboot-flag",
    title="A reboot that the guest ignored is remembered, and the next shutdown reboots it.",
    sources=("libvirt commit 8be502fd908c",),
    kind=BugClass.STALE,
    promise="What follows SHUTDOWN is what the latest request asked for.",
    replaces="the pressing of the power button: a request to shut down leaves the wish to reboot",
    scenario=FORGETS,
    checker=truth.NAME,
    depth=0,
    planted=replacing((LifecycleCalls, "_press_power_button", _press)),
)
