"""Two opposite orders were tried, and each deadlocked."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from functools import partial

from pyvirt_sim.scenarios.agents import ANSWERED, DIES
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio.driver.agent_link import AgentLink

_port_changed = AgentLink._port_changed


def _port_changed_later(self: AgentLink, alias: str, *, is_open: bool) -> None:
    self._life.spawn(partial(_handle, self, alias, is_open), name="handler of the channel")


async def _handle(self: AgentLink, alias: str, is_open: bool) -> None:
    async with self._lock:
        _port_changed(self, alias, is_open=is_open)


MUTANT = Mutant(
    number=127,
    slug="agent-eof-lock-cycle",
    title=(
        "Whoever is to end a call to an agent that has gone waits for the lock that the call holds."
    ),
    sources=(
        "libvirt commit 1020a5041b0e",
        "libvirt commit fe51174f08fa",
    ),
    kind=BugClass.WAIT,
    promise="Who ends the line to the agent needs nothing that a call on it holds.",
    replaces="the handler of channels: it takes the lock of the line before it ends the call on it",
    scenario=DIES,
    checker=ANSWERED,
    depth=0,
    planted=replacing((AgentLink, "_port_changed", _port_changed_later)),
)
