"""Nobody is left to say yes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyvirt_sim.scenarios.agents import SHUTS_DOWN, SUCCEEDS
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio.driver.agent_link import AgentLink


async def _execute(self: AgentLink, command: str, arguments: Mapping[str, Any] | None) -> None:
    await self.execute(command, arguments)


MUTANT = Mutant(
    number=129,
    slug="agent-command-without-reply",
    title=(
        "A command whose success is the end of the agent is waited for as for any other, and fails."
    ),
    sources=("libvirt commit d97a234c62d2",),
    kind=BugClass.RVE,
    promise="The success of such a command is an event, its failure a reply.",
    replaces="what the line does with commands that are not answered: it waits for a reply",
    scenario=SHUTS_DOWN,
    checker=SUCCEEDS,
    depth=0,
    planted=replacing((AgentLink, "execute_unanswered", _execute)),
)
