"""Ticks in order, callbacks not."""

from __future__ import annotations

import trio

from pyvirt_sim.clients import truth
from pyvirt_sim.clients.virt_manager import VirtManager
from pyvirt_sim.scenarios.client_views import VIRT_MANAGER
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


async def _idle(self: VirtManager, _number: int, names: tuple[str, ...]) -> None:
    await trio.lowlevel.checkpoint()
    self.shown = names


MUTANT = Mutant(
    number=71,
    slug="overlapping-polls-overwrite-list",
    title="Two polls overlap, and the older list is shown last.",
    sources=("virt-manager commit 3f27bc1bd141",),
    kind=BugClass.QVE,
    promise="Of two refreshes the one begun later decides what is shown.",
    replaces="virt-manager's idle callback: it shows its list, whatever is shown",
    scenario=VIRT_MANAGER,
    checker=truth.NAME,
    depth=1,
    planted=replacing((VirtManager, "idle", _idle)),
)
