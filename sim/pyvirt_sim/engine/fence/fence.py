"""Put the fence up around a run, and take it down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyvirt_sim.engine.fence.audit import install_audit_hook
from pyvirt_sim.engine.fence.calls import refused_calls
from pyvirt_sim.engine.fence.gate import gate
from pyvirt_sim.engine.fence.swap import Swap
from pyvirt_sim.engine.fence.threads import close_workers, simulated_threads

if TYPE_CHECKING:
    from pyvirt_sim.engine.execution import Execution

__all__ = ["Fence"]

_swaps: list[Swap] = []


def _install() -> list[Swap]:
    """Prepare everything that runs share; the first run does so."""
    if not _swaps:
        install_audit_hook()
        _swaps.extend(refused_calls())
        _swaps.extend(simulated_threads())
    return _swaps


class Fence:
    """While active, the program of ``execution`` can neither reach nor see the real world."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution

    def __enter__(self) -> None:
        for swap in _install():
            swap.enter()
        gate.execution = self.execution

    def __exit__(self, *exc_info: object) -> None:
        gate.execution = None
        for swap in _swaps:
            swap.leave()
        if self.execution.idle_workers:
            close_workers(self.execution)
