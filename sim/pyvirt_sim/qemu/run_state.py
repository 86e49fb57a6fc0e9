"""QEMU's run states, the reasons of its shutdowns and resets, and what it does at each."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

import attrs

from pyvirt_sim.gaps import ModelGapError


class RunState(enum.Enum):
    """QEMU's run states, as ``query-status`` writes them."""

    INMIGRATE = "inmigrate"
    PRELAUNCH = "prelaunch"
    RUNNING = "running"
    PAUSED = "paused"
    SUSPENDED = "suspended"
    SHUTDOWN = "shutdown"
    GUEST_PANICKED = "guest-panicked"
    WATCHDOG = "watchdog"
    IO_ERROR = "io-error"
    POSTMIGRATE = "postmigrate"
    SAVE_VM = "save-vm"


class Cause(enum.Enum):
    """Why a machine is reset or shut down, as events write it (``ShutdownCause``)."""

    HOST_SIGNAL = "host-signal"
    HOST_QUIT = "host-qmp-quit"
    HOST_RESET = "host-qmp-system-reset"
    GUEST_SHUTDOWN = "guest-shutdown"
    GUEST_RESET = "guest-reset"
    GUEST_PANIC = "guest-panic"

    @property
    def is_guest(self) -> bool:
        """Whether the guest did it."""
        return self.value.startswith("guest-")


# What each kind of event may lead to, as ``set-action`` and ``-action`` take it.
CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "reboot": ("reset", "shutdown"),
    "shutdown": ("poweroff", "pause"),
    "panic": ("none", "pause", "shutdown", "exit-failure"),
    "watchdog": ("reset", "shutdown", "poweroff", "pause", "debug", "none", "inject-nmi"),
}


@attrs.define
class Actions:
    """What QEMU does when the guest reboots, shuts down, panics or hangs.

    Each has a default of QEMU's, is set by ``-no-reboot``, ``-no-shutdown`` and ``-action``, and
    changed by ``set-action`` and ``watchdog-set-action``.
    """

    reboot: str = "reset"
    shutdown: str = "poweroff"
    panic: str = "shutdown"
    watchdog: str = "reset"

    def set(self, kind: str, action: str) -> None:
        """Choose what happens at events of a kind."""
        assert action in CHOICES[kind], f"{kind}={action}"
        if kind == "watchdog" and action == "debug":
            raise ModelGapError("a watchdog that enters a debugger is not modelled")
        setattr(self, kind, action)
