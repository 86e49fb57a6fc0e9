"""A script that starts a domain and waits until it hears that it has started."""

from __future__ import annotations

import attrs

from pyvirt_trio import DomainStarted, Hypervisor, Subscription


@attrs.define(eq=False)
class Starter:
    """Subscribes, acts, and then waits, in this order.

    Args:
        hypervisor: Where.
    """

    hypervisor: Hypervisor

    async def start(self, name: str) -> None:
        """The domain runs, and its event has come."""
        events = self.subscribe()
        await self.act(name)
        await self.wait(events, name)

    def subscribe(self) -> Subscription:
        """From here on nothing is missed."""
        _, events = self.hypervisor.subscribe()
        return events

    async def act(self, name: str) -> None:
        """Start it."""
        await self.hypervisor.domain(name).start()

    async def wait(self, events: Subscription, name: str) -> None:
        """Return when the event has come."""
        async for record in events:
            if isinstance(record.event, DomainStarted) and record.event.domain == name:
                return
