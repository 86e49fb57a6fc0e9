"""Put the fence up around a run, and take it down."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from pyvirt_sim.engine.fence.audit import install_audit_hook
from pyvirt_sim.engine.fence.calls import refused_calls
from pyvirt_sim.engine.fence.clock import served_clocks
from pyvirt_sim.engine.fence.entropy import ClassSwap, served_chance
from pyvirt_sim.engine.fence.gate import gate
from pyvirt_sim.engine.fence.swap import Memory, Swap
from pyvirt_sim.engine.fence.threads import close_workers, simulated_threads

if TYPE_CHECKING:
    from pyvirt_sim.engine.execution import Execution

__all__ = ["Fence"]

_swaps: list[Swap | Memory | ClassSwap] = []


def _install() -> None:
    """Prepare everything that runs share, when the first run begins."""
    install_audit_hook()
    refusing = refused_calls()
    _swaps.extend(served_clocks(refusing.pop("time")))
    _swaps.extend(served_chance(refusing.pop("os")))
    rarely_used = [
        Swap(importlib.import_module(module).__dict__, names) for module, names in refusing.items()
    ]
    for swap in (*rarely_used, *simulated_threads()):
        swap.enter()  # for good


class Fence:
    """While active, the program of ``execution`` can neither reach nor see the real world."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution

    def __enter__(self) -> None:
        if not _swaps:
            _install()
        for swap in _swaps:
            swap.enter()
        gate.execution = self.execution

    def __exit__(self, *exc_info: object) -> None:
        gate.execution = None
        for swap in _swaps:
            swap.leave()
        if self.execution.idle_workers:
            close_workers(self.execution)
