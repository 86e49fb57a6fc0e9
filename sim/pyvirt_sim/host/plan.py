"""What may go slow and what may go wrong in one run.

A plan says which sites are live; what happens at a live site is drawn each time, from the stream
``latency`` or ``faults``. A draw of 0, which is what the canonical schedule gets and what every
draw gives outside a run, means "at once" and "no fault".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import attrs

from pyvirt_sim.engine import choose_from, draw, note
from pyvirt_sim.host.sites import LATENCIES_S, SITES
from pyvirt_sim.qemu.world import GuestTimes

FAULT_ONE_IN = 4
"""A live fault site strikes one time in four unless the plan says otherwise: often enough to meet,
seldom enough to get past."""

CHANCES_ONE_IN = (4, 2, 16, 64)
"""What `HostPlan.drawn` gives a live site: some faults show only when they are rare, because the
next one hides them, and some only when they come all the time."""


def _frozen(given: Mapping[str, int]) -> Mapping[str, int]:
    return MappingProxyType(dict(given))


@attrs.frozen
class HostPlan:
    """Which sites are live, and how fast guests are.

    Args:
        live: Names out of `SITES`.
        one_in: For live sites that are rarer or more frequent than usual: they strike one time in
            so many. A latency site that is not named here is slow whenever the draw says so.
        guest_times: How long a guest takes.
        has_guest_agent: Whether guests have an agent installed.
        boot_time_s: Wall-clock seconds since 1970 at the start of the run.
    """

    live: frozenset[str] = frozenset()
    one_in: Mapping[str, int] = attrs.field(factory=dict[str, int], converter=_frozen, hash=False)
    guest_times: GuestTimes = attrs.Factory(GuestTimes)
    has_guest_agent: bool = False
    boot_time_s: float = 1_600_000_000.0

    def __attrs_post_init__(self) -> None:
        unknown = sorted((self.live | self.one_in.keys()) - SITES.keys())
        if unknown:
            raise ValueError(f"no such sites: {', '.join(unknown)}")
        for name, count in self.one_in.items():
            # A fault that always strikes would strike on the canonical schedule too.
            least = 2 if SITES[name].kind == "fault" else 1
            if count < least:
                raise ValueError(f"{name} cannot strike one time in {count}: {least} at least")

    def __deepcopy__(self, _: object) -> HostPlan:
        """Itself: nothing in it can change, and each run of a drawn workload gets a copy."""
        return self

    @classmethod
    def quiet(cls) -> HostPlan:
        """Nothing is slow and nothing goes wrong."""
        return cls()

    @classmethod
    def drawn(cls, among: Iterable[str] = SITES) -> HostPlan:
        """A plan that is itself drawn, and noted before anything happens: swarm testing.

        Each site is live or not for the whole run, half of them in the mean, and a live one has a
        chance of its own. On the canonical schedule nothing is live.

        Args:
            among: The sites that may be live; those that the story cannot bear are left out.
        """
        live = [site for site in among if draw("faults", f"{site} is live", 2)]
        one_in = {
            site: choose_from("faults", f"{site} strikes one time in", CHANCES_ONE_IN)
            for site in live
        }
        plan = cls(live=frozenset(live), one_in=one_in)
        note("plan", "draws its sites", live=plan.describe())
        return plan

    def describe(self) -> str:
        """The live sites in words, in the order of the list of sites."""
        words = [f"{name} (1 in {self.chance(name)})" for name in SITES if name in self.live]
        return ", ".join(words) or "nothing"

    def chance(self, site: str) -> int:
        """One time in how many a live site strikes."""
        usual = FAULT_ONE_IN if SITES[site].kind == "fault" else 1
        return self.one_in.get(site, usual)

    def delay_s(self, site: str) -> float:
        """How long this site takes now."""
        _require(site, "latency")
        if site not in self.live:
            return 0.0
        steps = LATENCIES_S[SITES[site].speed]
        # Everything beyond the steps is "at once", so that rare latencies stay one draw.
        choice = draw("latency", site, len(steps) * self.chance(site))
        return steps[choice] if choice < len(steps) else 0.0

    def happens(self, site: str) -> bool:
        """Whether the fault of this site strikes now."""
        _require(site, "fault")
        count = self.chance(site)
        return site in self.live and draw("faults", site, count) == count - 1


def _require(site: str, kind: str) -> None:
    assert SITES[site].kind == kind, f"{site} is no {kind} site"
