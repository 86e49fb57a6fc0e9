"""The door is closed after everybody was told, and somebody came in."""

from __future__ import annotations

import trio

from pyvirt_sim.checkers import no_waiter_left
from pyvirt_sim.clients.qmp_client import ClientClosedError, QmpClient
from pyvirt_sim.scenarios.monitors import MUTE
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


async def _close(self: QmpClient) -> None:
    self.fail_all()
    await trio.lowlevel.checkpoint()
    self.is_closed = True
    await self.stream.aclose()


async def _read(self: QmpClient) -> None:
    try:
        while True:
            message = await self.next_message()
            if "event" not in message:
                self.answer(message)
    except ClientClosedError:
        return


MUTANT = Mutant(
    number=142,
    slug="disconnect-unsubscribes-before-closing",
    title=(
        "A disconnect first fails everybody who waits and then closes: a caller who comes "
        "in between waits for ever."
    ),
    sources=(
        "go-libvirt commit 25518eb2c840",
        "go-libvirt commit 985697df52c0",
        "go-libvirt commit c146e923dc20",
    ),
    kind=BugClass.WAIT,
    promise="After the connection is lost every pending and every later request fails.",
    replaces=(
        "a client's close, which fails the waiters and then says so, and the end of its "
        "reader, which fails nobody"
    ),
    scenario=MUTE,
    checker=no_waiter_left.NAME,
    depth=1,
    planted=replacing((QmpClient, "close", _close), (QmpClient, "read", _read)),
)
