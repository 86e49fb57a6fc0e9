"""The second half of a pair: closed early enough, and too often."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from pyvirt_sim.scenarios.agents import OTHER_CLOSES, SUCCEEDS
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio.driver.agent_link import AgentLink

_port_changed = AgentLink._port_changed


def _any_port_changed(self: AgentLink, alias: str, *, is_open: bool) -> None:
    _port_changed(self, alias, is_open=is_open)
    if not is_open and self._call is not None:
        self._call.cancel()


MUTANT = Mutant(
    number=126,
    slug="agent-call-ends-with-any-channel",
    title="The agent is closed as soon as a channel closes, whichever it is.",
    sources=(
        "libvirt commit f1caa42777ff",
        "https://bugzilla.redhat.com/1236924",
    ),
    kind=BugClass.MISATTR,
    promise="Only the agent's own channel says that the agent is gone.",
    replaces="the handler of channels: it does not ask whose channel it was",
    scenario=OTHER_CLOSES,
    checker=SUCCEEDS,
    depth=0,
    pair="agent-call-outlives-agent",
    planted=replacing((AgentLink, "_port_changed", _any_port_changed)),
)
