"""A manager dies while it goes on from a managed save, before the machine runs.

The image has another name from the moment it is loaded, so that it is never used twice. A manager
that died then left a QEMU that nobody had heard of, which its successor ends, and an image that it
took for used, and removed: what had been saved was lost. A machine of which nobody has heard has
not run; its image is still good.
"""

from __future__ import annotations

from pyvirt_sim.engine import Node, simulate
from pyvirt_sim.host import SimHost
from pyvirt_sim.prove.restart import ManagerOnly
from tests.regressions.world import boot, machine, manager

MAX_STEPS = 200_000
MARK = "only in memory"


class _Trial:
    """One run, in which the manager dies after the how many-th thing that it did to the world."""

    def __init__(self, crash_at: int) -> None:
        self.crash_at = crash_at
        self.effects: list[str] = []
        self.is_saved = False
        self.remembers = False

    async def program(self) -> None:
        async with machine() as host:
            node = Node("manager", disk=ManagerOnly(host))
            host.on_effect = lambda what: self._count(node, what)
            await node.run(self._manage, host)

    def _count(self, node: Node, what: str) -> None:
        if self.is_saved:
            self.effects.append(what)
            if len(self.effects) == self.crash_at:
                node.crash(restart_after_s=0.0)

    async def _manage(self, host: SimHost) -> None:
        async with manager(host) as hypervisor:
            if not self.is_saved:
                await boot(hypervisor, host)
                host.processes()[-1].qemu.guest.memory[MARK] = "kept"
                await hypervisor.domain("demo").managed_save()
                self.is_saved = True
            domain = hypervisor.domain("demo")
            async with domain.job.hold("look"):
                pass
            if not domain.status.is_active:
                await domain.start()
            self.remembers = MARK in host.processes()[-1].qemu.guest.memory


def test_what_was_saved_is_there_wherever_the_manager_dies() -> None:
    plain = _Trial(crash_at=0)
    simulate(plain.program, max_steps=MAX_STEPS).unwrap()
    assert plain.remembers
    assert len(plain.effects) > 5
    for crash_at in range(1, len(plain.effects) + 1):
        trial = _Trial(crash_at)
        simulate(trial.program, max_steps=MAX_STEPS).unwrap()
        assert trial.remembers, f"lost by a crash after: {plain.effects[crash_at - 1]}"
