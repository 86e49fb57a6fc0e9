"""The programs of the how-to "Test your own Trio program", loaded from the documentation."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal

import attrs
import trio
import trio.testing

FOLDER = Path(__file__).resolve().parents[2] / "docs/how-to/examples"

AUTOJUMP_S = 0.002
"""How long plain Trio must be idle before its clock jumps: loopback sockets need a moment."""


@attrs.frozen
class Example:
    """One of the how-to's programs.

    Args:
        name: Name of its file.
        timers: Whether its race is between tasks only, or between tasks and time.
        program: Has the race.
        fixed_program: Has it no more.
    """

    name: str
    timers: Literal["idle", "choice"]
    program: Callable[[], Awaitable[None]]
    fixed_program: Callable[[], Awaitable[None]]

    @property
    def options(self) -> dict[str, Any]:
        """What `hunt` is told."""
        return {"timers": self.timers}

    def fails_under_plain_trio(self) -> bool:
        """Run it once under ``trio.run``, on real sockets and with Trio's own scheduler."""
        clock = trio.testing.MockClock(autojump_threshold=AUTOJUMP_S)
        try:
            trio.run(self.program, clock=clock)
        except Exception:  # noqa: BLE001 - any failure counts
            return True
        return False


def _load(name: str, timers: Literal["idle", "choice"]) -> Example:
    module_name = f"how_to_{name}"
    specification = importlib.util.spec_from_file_location(module_name, FOLDER / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[module_name] = module
    specification.loader.exec_module(module)
    return Example(name, timers, module.program, module.fixed_program)


EXAMPLES = (
    _load("connection_pool", "idle"),
    _load("pubsub_broker", "idle"),
    _load("retrying_client", "choice"),
)
