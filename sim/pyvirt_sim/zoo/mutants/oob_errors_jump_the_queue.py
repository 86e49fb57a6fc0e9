"""The reader is quicker than the dispatcher."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import cast

from pyvirt_sim.qemu.json_text import JsonStream
from pyvirt_sim.qemu.monitor import Monitor
from pyvirt_sim.qemu.world import MonitorStream
from pyvirt_sim.scenarios.monitors import IN_ORDER, IN_ORDER_PROMISE, PIPELINES
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing


async def _read_requests(self: Monitor, stream: MonitorStream) -> None:
    text = JsonStream()
    while data := await stream.receive_some():
        for message in cast("list[dict[str, object]]", text.feed(data)):
            if isinstance(message.get("execute"), str):
                self.requests.append(message)
                self._dispatcher.wake()
            else:
                self._answer(message)


MUTANT = Mutant(
    number=117,
    slug="oob-errors-jump-the-queue",
    title=(
        "The error of a text that is no command is sent at once, before the reply to an "
        "earlier one."
    ),
    sources=(
        "QEMU commit 69240fe62d1a",
        "QEMU commit 1cc37471525d",
    ),
    kind=BugClass.RVE,
    promise=IN_ORDER_PROMISE,
    replaces=(
        "the simulated QEMU's reading of requests: what cannot be carried out is answered "
        "by the reader"
    ),
    scenario=PIPELINES,
    checker=IN_ORDER,
    depth=0,
    planted=replacing((Monitor, "_read_requests", _read_requests)),
)
