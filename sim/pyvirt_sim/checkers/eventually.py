"""Eventually: by the time all is quiet, something has come."""

from __future__ import annotations

import math

from pyvirt_sim.checkers.follows_within import FollowsWithin
from pyvirt_sim.checkers.trace import Key, Pattern, by


class Eventually(FollowsWithin):
    """Every ``cause`` has had an ``effect`` that belongs to it when all is quiet.

    Args:
        name: Of the checker.
        promise: One sentence.
        cause: What asks for it.
        effect: What must come.
        key: What makes a cause and an effect belong together.
    """

    def __init__(
        self, name: str, promise: str, cause: Pattern, effect: Pattern, key: Key | None = None
    ) -> None:
        super().__init__(name, promise, cause, effect, by() if key is None else key, math.inf)
