"""Calls that are made at the same time, in every order, and how each of them ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager

import attrs
import trio

from pyvirt_sim.prove.kinds import ALIAS
from pyvirt_sim.prove.search import Window
from pyvirt_sim.prove.stage import SETTLED_S, Stage
from pyvirt_trio import Impact, PyvirtError, Record, Subscription

Call = Callable[[Stage], Awaitable[object]]


async def attach(stage: Stage) -> None:
    """Attach the device, or another one with the same alias, to the running domain."""
    if stage.kind.is_vcpu:
        await stage.domain.set_vcpus(2, Impact.LIVE)
        return
    await stage.domain.attach_device(stage.kind.device_xml, Impact.LIVE)


async def detach(stage: Stage) -> None:
    """Detach it from the running domain, and wait."""
    if stage.kind.is_vcpu:
        await stage.domain.set_vcpus(1, Impact.LIVE)
        return
    await stage.domain.detach_device(ALIAS, Impact.LIVE)


async def request_detach(stage: Stage) -> None:
    """Ask for its removal, and do not wait."""
    await stage.domain.request_detach(ALIAS, Impact.LIVE)


@attrs.define(eq=False)
class Calls:
    """The calls of one performance.

    Args:
        stage: Where they are made.
        window: In which their order is varied.
        events: A subscription from before the first.

    Attributes:
        outcomes: By who made it, how a call ended; ``None`` is success.
    """

    stage: Stage
    window: Window
    events: Subscription
    outcomes: dict[str, BaseException | None] = attrs.field(
        factory=dict[str, "BaseException | None"]
    )

    def open(self) -> AbstractContextManager[None]:
        """The part of the run in which every order is tried."""
        return self.window.open()

    async def make(self, **calls: Call) -> None:
        """Make all calls at the same time, and return when the last has ended."""
        async with trio.open_nursery() as nursery:
            for who, call in calls.items():
                nursery.start_soon(self.one, who, call, name=who)

    async def one(self, who: str, call: Call) -> None:
        """Make one call, and remember how it ended."""
        try:
            await call(self.stage)
        except PyvirtError as error:
            self.outcomes[who] = error
        else:
            self.outcomes[who] = None

    async def settle(self) -> list[Record]:
        """When all is quiet: the events that were not received yet."""
        await trio.sleep(SETTLED_S)
        records: list[Record] = []
        while self.events.sequence < self.stage.domain.journal.sequence:
            records.append(self.events.receive_nowait())
        return records
