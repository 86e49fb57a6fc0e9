"""The first half of a pair: the agent is closed too late."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

from pyvirt_sim.scenarios.agents import ANSWERED, ANSWERED_PROMISE, DIES
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio.driver.agent_link import AgentLink

_execute = AgentLink.execute
_port_changed = AgentLink._port_changed


async def _execute_under_job(
    self: AgentLink, command: str, arguments: Mapping[str, Any] | None = None
) -> Any:
    async with self._life.domain.job.hold("agent"):
        return await _execute(self, command, arguments)


def _port_changed_later(self: AgentLink, alias: str, *, is_open: bool) -> None:
    self._life.spawn(partial(_handle, self, alias, is_open), name="worker")


async def _handle(self: AgentLink, alias: str, is_open: bool) -> None:
    async with self._life.domain.job.hold("agent-closed", patience_s=math.inf):
        _port_changed(self, alias, is_open=is_open)


MUTANT = Mutant(
    number=126,
    slug="agent-call-outlives-agent",
    title=(
        "The agent has died, and whoever could tell its caller waits for the job that the "
        "caller holds."
    ),
    sources=(
        "libvirt commit 2af51483cc2f",
        "https://bugzilla.redhat.com/890648",
    ),
    kind=BugClass.WAIT,
    promise=ANSWERED_PROMISE,
    replaces=(
        "a call to the agent, which takes the domain's job, and the handler of its "
        "channel, which takes it before it tells the caller"
    ),
    scenario=DIES,
    checker=ANSWERED,
    depth=0,
    pair="agent-call-ends-with-any-channel",
    planted=replacing(
        (AgentLink, "execute", _execute_under_job),
        (AgentLink, "_port_changed", _port_changed_later),
    ),
)
