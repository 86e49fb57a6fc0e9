"""The object is gone when the call comes back to it."""

from __future__ import annotations

from pyvirt_sim.scenarios.lives import STARTS_AGAIN, SUCCEEDS
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio.driver.ending import Ending
from pyvirt_trio.driver.lifecycle import LifecycleCalls


async def _destroy(self: LifecycleCalls, *, graceful: bool = False) -> None:
    life = self.running_life()
    life.end(Ending.DESTROYED)
    await life.ended.wait()
    await self.running_life().destroy(graceful=graceful)  # "and now the rest of it"


MUTANT = Mutant(
    number=45,
    slug="destroy-versus-eof-cleanup",
    title=(
        "While a destroy waits for the process, the end of its monitor cleans up, and the "
        "call fails."
    ),
    sources=(
        "libvirt commit 81621f3e6e45",
        "libvirt commit d960d06fc",
        "https://bugzilla.redhat.com/892079",
    ),
    kind=BugClass.TOCTOU,
    promise="While a destroy is under way its caller is not told that the domain does not run.",
    replaces="the destroying call: it looks for the domain's life again after its wait",
    scenario=STARTS_AGAIN,
    checker=SUCCEEDS,
    depth=0,
    planted=replacing((LifecycleCalls, "destroy", _destroy)),
)
