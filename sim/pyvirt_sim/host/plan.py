"""What may go slow and what may go wrong in a simulated host, by name.

A plan says which sites are live in a run; what happens at a live site is drawn each time, from the
stream ``latency`` or ``faults``. A draw of 0, which is what the canonical schedule gets and what
every draw gives outside a run, means "at once" and "no fault".
"""

from __future__ import annotations

from types import MappingProxyType

import attrs

from pyvirt_sim.engine import draw, note
from pyvirt_sim.qemu.world import GuestTimes

LATENCY_SITES = (
    "file",
    "sysfs",
    "connect",
    "process-start",
    "process-exit",
    "monitor-greeting",
    "monitor-command",
    "guest-boot",
    "guest-notices",
    "guest-unplug",
    "guest-powerdown",
    "rcu",
)
FAULT_SITES = (
    "split-reads",
    "guest-refuses-unplug",
    "guest-ignores-unplug",
    "guest-ignores-powerdown",
    "exit-leaves-socket",
)
SITES = MappingProxyType(
    {**dict.fromkeys(LATENCY_SITES, "latency"), **dict.fromkeys(FAULT_SITES, "fault")}
)
"""Every named site and its kind."""

LATENCY_STEPS_S = (0.0, 0.001, 0.01, 0.1, 1.0)
"""What a live latency site may cost; the spread from a cached read to a stalled disk."""

FAULT_ONE_IN = 4
"""A live fault site strikes one time in four: often enough to meet, seldom enough to get past."""


@attrs.frozen
class HostPlan:
    """Which sites are live, and how fast guests are.

    Args:
        live: Names out of `SITES`.
        guest_times: How long a guest takes.
        boot_time_s: Wall-clock seconds since 1970 at the start of the run.
    """

    live: frozenset[str] = frozenset()
    guest_times: GuestTimes = attrs.Factory(GuestTimes)
    boot_time_s: float = 1_600_000_000.0

    def __attrs_post_init__(self) -> None:
        unknown = sorted(self.live - SITES.keys())
        if unknown:
            raise ValueError(f"no such sites: {', '.join(unknown)}")

    @classmethod
    def quiet(cls) -> HostPlan:
        """Nothing is slow and nothing goes wrong."""
        return cls()

    @classmethod
    def drawn(cls) -> HostPlan:
        """A plan whose live sites are themselves drawn, and noted: swarm testing."""
        live = [site for site in SITES if draw("faults", f"{site} is live", 2)]
        note("plan", "draws its sites", live=live)
        return cls(live=frozenset(live))
