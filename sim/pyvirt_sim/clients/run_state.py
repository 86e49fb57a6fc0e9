"""Why a machine stands still, as a manager tells from QEMU's events."""

from __future__ import annotations

import attrs

from pyvirt_sim.checkers.trace import Trace
from pyvirt_trio.qmp.messages import Event


@attrs.define(eq=False)
class RunStateFollower:
    """Folds RESUME, STOP and what comes before STOP.

    Args:
        trace: What is received is written there.
    """

    trace: Trace
    state: str = "paused"
    reason: str = "starting up"
    cause: str | None = None

    def on_event(self, event: Event) -> None:
        """One more event."""
        self.trace.delivered("manager", event.name, "demo")
        match event.name:
            case "BLOCK_IO_ERROR" if event.data.get("action") == "stop":
                self.cause = "i/o error"
            case "RESUME":
                self.state, self.reason, self.cause = "running", "unpaused", None
            case "STOP":
                self.state, self.reason = "paused", self.cause or "unknown"
            case "RESET":
                self.cause = None
            case _:
                pass
