"""A process that takes its time to die is given up, and its devices with it."""

from __future__ import annotations

import trio

from pyvirt_sim.scenarios.slow_deaths import DEAD, DEAD_PROMISE, DIES_SLOWLY
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio.abc import Process
from pyvirt_trio.driver import launch
from pyvirt_trio.driver.life import Life

# pyright: reportPrivateUsage=false

PATIENCE_S = 0.05


async def _end_process(process: Process) -> None:
    process.terminate()
    with trio.move_on_after(PATIENCE_S):
        await process.wait()
    process.kill()


async def _give_up(self: Life, process: Process) -> None:
    await self._end_asked.wait()
    process.terminate()
    await trio.sleep(PATIENCE_S)
    self._scope.cancel()


MUTANT = Mutant(
    number=61,
    slug="kill-timeout-skips-cleanup",
    title="The wait for a process to die is over before it is dead, and it counts as dead.",
    sources=("libvirt 10.6.0 release note",),
    kind=BugClass.LOST,
    promise=DEAD_PROMISE,
    replaces="the ending of a QEMU: nobody waits for it once it was killed",
    scenario=DIES_SLOWLY,
    checker=DEAD,
    depth=1,
    planted=replacing((launch, "end_process", _end_process), (Life, "_end_when_asked", _give_up)),
)
