"""A clean-up that is not in a finally."""

from __future__ import annotations

from typing import Any

from pyvirt_sim.clients import truth
from pyvirt_sim.clients.qmp_client import ClientClosedError, QmpClient
from pyvirt_sim.scenarios.monitors import IMPATIENT
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


async def _execute(self: QmpClient, command: str) -> dict[str, Any]:
    pending = self.begin()
    await self.send({"execute": command, "id": pending.number})
    await pending.answered.wait()
    del self.pending[pending.number]
    if pending.answer is None:
        raise ClientClosedError(command)
    return pending.answer


MUTANT = Mutant(
    number=122,
    slug="cancelled-execute-leaves-pending-record",
    title="A caller gives up, and the record of its request stays for ever.",
    sources=(
        "QEMU commit 3b5bf136f579",
        "QEMU commit d911accf0a88",
    ),
    kind=BugClass.LIFE,
    promise="Giving up at any await leaves no record behind.",
    replaces="a client's command: its record is taken back only when all went well",
    scenario=IMPATIENT,
    checker=truth.NAME,
    depth=1,
    planted=replacing((QmpClient, "execute", _execute)),
)
