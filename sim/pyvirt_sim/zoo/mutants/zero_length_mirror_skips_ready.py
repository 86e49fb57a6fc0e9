"""The short way round leaves out the event."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyvirt_sim.checkers import no_waiter_left
from pyvirt_sim.qemu.jobs import Jobs
from pyvirt_sim.scenarios.block_copies import EMPTY
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing

_mirror = Jobs.mirror


def _mirror_without_ready(self: Jobs, arguments: Mapping[str, Any]) -> None:
    emit = self._emit

    def emit_but_ready(name: str, data: Mapping[str, Any] | None) -> None:
        if name != "BLOCK_JOB_READY" or (data or {}).get("len"):
            emit(name, data)

    self._emit = emit_but_ready
    try:
        _mirror(self, arguments)
    finally:
        self._emit = emit


MUTANT = Mutant(
    number=103,
    slug="zero-length-mirror-skips-ready",
    title=(
        "A mirror of nothing ends without ever having been ready, and its manager waits for that."
    ),
    sources=("QEMU commit 9e48b025400b",),
    kind=BugClass.LOST,
    promise="Every mirror is ready before it completes.",
    replaces="the simulated QEMU's mirror: one of no bytes skips READY and waits to be completed",
    scenario=EMPTY,
    checker=no_waiter_left.NAME,
    depth=0,
    planted=replacing((Jobs, "mirror", _mirror_without_ready)),
)
