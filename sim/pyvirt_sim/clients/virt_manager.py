"""A desktop program in the style of virt-manager: it polls, and updates its window when idle."""

from __future__ import annotations

import attrs
import trio

from pyvirt_trio import Hypervisor

PERIOD_S = 1.0


@attrs.define(eq=False)
class VirtManager:
    """One window with a list of domains.

    Args:
        hypervisor: What it shows.
        nursery: Runs its ticks and idle callbacks.
    """

    hypervisor: Hypervisor
    nursery: trio.Nursery
    shown: tuple[str, ...] = ()
    _ticks: int = 0
    _shown_tick: int = 0

    async def poll(self) -> None:
        """A tick every second; a tick does not wait for the one before."""
        while True:
            self.nursery.start_soon(self.tick, name="virt-manager's tick")
            await trio.sleep(PERIOD_S)

    async def tick(self) -> None:
        """Fetch the list, and have the window updated when it is idle."""
        self._ticks += 1
        number = self._ticks
        names = tuple(domain.name for domain in self.hypervisor.domains())
        await trio.lowlevel.checkpoint()
        self.nursery.start_soon(self.idle, number, names, name="virt-manager's idle callback")

    async def idle(self, number: int, names: tuple[str, ...]) -> None:
        """Show what was fetched, unless something newer is shown already."""
        await trio.lowlevel.checkpoint()
        if number > self._shown_tick:
            self._shown_tick = number
            self.shown = names
