"""What systematic searches share: they repeat the beginning of an earlier run and then leave it."""

from __future__ import annotations

from typing import Final

from pyvirt_sim.engine.errors import ReplayDivergedError
from pyvirt_sim.engine.point import Point

__all__ = ["MAX_VALUES", "UNTRIED", "expect_bound", "values_to_try"]

# A draw with more values than this is one that no search can try out, such as a seed or a port. It
# gets the canonical value, and the search says that it is not complete.
MAX_VALUES: Final = 64
UNTRIED: Final = f", but of draws with more than {MAX_VALUES} values only the canonical one"


def values_to_try(point: Point) -> int:
    """Return how many values of a draw a search tries: all, or only 0 when they are too many."""
    return point.bound if point.bound <= MAX_VALUES else 1


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
