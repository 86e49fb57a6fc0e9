"""The founding story on machines that are slow, and where small things go wrong.

Each run first draws which sites are live and how often they strike, and notes it: `HostPlan.drawn`.
Left out are the faults after which the story cannot end as it promises: a guest that keeps its
device, and a driver that does not take its own back.
"""

from __future__ import annotations

from pyvirt_sim.checkers.removed_means_gone import PROMISE
from pyvirt_sim.host import SITES, HostPlan
from pyvirt_sim.scenarios.hot_unplug import in_simulation
from pyvirt_sim.scenarios.scenario import Scenario

UNBEARABLE = ("guest-refuses-unplug", "guest-ignores-unplug", "probe-fails")


async def _on_a_drawn_machine() -> None:
    await in_simulation(HostPlan.drawn(site for site in SITES if site not in UNBEARABLE))


SCENARIO = Scenario(
    name="hot-unplug-swarm",
    summary="The story of hot-unplug, on machines that are slow and where small things go wrong.",
    promise=PROMISE,
    program=_on_a_drawn_machine,
)
