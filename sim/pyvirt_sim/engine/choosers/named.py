"""Choosers by the names that command lines, campaigns and tables call them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from pyvirt_sim.engine.choosers.basic import RandomWalk
from pyvirt_sim.engine.choosers.bounded import PreemptionBound
from pyvirt_sim.engine.choosers.dpor import Dpor
from pyvirt_sim.engine.choosers.pct import Pct
from pyvirt_sim.engine.choosers.portfolio import Portfolio
from pyvirt_sim.engine.choosers.pos import PartialOrderSampling
from pyvirt_sim.engine.choosers.urw import UniformWalk
from pyvirt_sim.engine.point import Chooser

__all__ = ["CHOOSERS", "SYSTEMATIC", "chooser_named"]

CHOOSERS: Final[Mapping[str, Callable[[int], Chooser]]] = MappingProxyType(
    {
        "portfolio": Portfolio,
        "random-walk": RandomWalk,
        "pct-1": lambda seed: Pct(seed, 1),
        "pct-2": lambda seed: Pct(seed, 2),
        "pct-3": lambda seed: Pct(seed, 3),
        "urw": UniformWalk,
        "pos": PartialOrderSampling,
        "preemption-bound-1": lambda _: PreemptionBound(1),
        "dpor": lambda _: Dpor(),
    }
)
"""By name, what makes the chooser from a seed."""

SYSTEMATIC: Final = frozenset({"preemption-bound-1", "dpor"})
"""Those that walk through schedules in an order of their own: no seed changes what they do."""


def chooser_named(name: str, seed: int = 0) -> Chooser:
    """A new chooser of that name.

    Args:
        name: one of `CHOOSERS`.
        seed: what it begins with; the systematic ones have no use for it.

    Raises:
        KeyError: none is called so.
    """
    if name not in CHOOSERS:
        raise KeyError(f"no chooser is called {name!r}; there are {', '.join(CHOOSERS)}")
    return CHOOSERS[name](seed)
