"""Options that many commands have."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from pyvirt_trio.models.impact import Impact

Flag = Annotated[bool, Parameter(negative="")]
"""An option without a value, which is off unless it is given."""


def impact_of(*, live: bool, config: bool) -> int:
    """What ``--live`` and ``--config`` say together, as the daemon is told it."""
    chosen = Impact.CURRENT
    if live:
        chosen |= Impact.LIVE
    if config:
        chosen |= Impact.CONFIG
    return chosen.value
