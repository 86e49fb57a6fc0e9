"""Searches that repeat the beginning of an earlier run and then leave it."""

from __future__ import annotations

from pyvirt_sim.engine.errors import ReplayDivergedError
from pyvirt_sim.engine.point import Point

__all__ = ["expect_bound"]


def expect_bound(point: Point, bound: int) -> None:
    """Check that a repeated choice has as many candidates as when it was met first.

    Raises:
        ReplayDivergedError: it has not: the program is not deterministic, and a search that went on
            would miss schedules without a word.
    """
    if point.bound != bound:
        raise ReplayDivergedError(
            f"step {point.step}: {bound} candidates when this beginning ran first, now "
            f"{point.bound} ({', '.join(point.names[:8])}); prove_deterministic finds out why"
        )
