"""Who could end the wait must wait for it."""

from __future__ import annotations

from typing import Any

from pyvirt_sim.checkers import no_waiter_left
from pyvirt_sim.clients.qmp_client import ClientClosedError, QmpClient
from pyvirt_sim.scenarios.monitors import MUTE
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


async def _execute(self: QmpClient, command: str) -> dict[str, Any]:
    async with self.sending:
        pending = self.begin()
        await self.stream.send_all(b'{"execute": "%s", "id": 1}' % command.encode())
        await pending.answered.wait()
    if pending.answer is None:
        raise ClientClosedError(command)
    return pending.answer


async def _close(self: QmpClient) -> None:
    async with self.sending:
        self.is_closed = True
        self.fail_all()
        await self.stream.aclose()


MUTANT = Mutant(
    number=116,
    slug="close-blocks-on-dispatcher-lock",
    title=(
        "A lock is held while an answer is awaited, and the close that would end the wait wants it."
    ),
    sources=("QEMU commit a67b996e7894",),
    kind=BugClass.WAIT,
    promise="No lock is held across a wait that somebody else must end.",
    replaces=(
        "a client's sending and its close: the lock covers the whole command, and closing takes it"
    ),
    scenario=MUTE,
    checker=no_waiter_left.NAME,
    depth=1,
    planted=replacing((QmpClient, "execute", _execute), (QmpClient, "close", _close)),
)
