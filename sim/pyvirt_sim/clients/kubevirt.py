"""Programs of a node in the style of KubeVirt: a reconciling handler, and a launcher."""

from __future__ import annotations

import attrs
import trio

from pyvirt_sim.checkers.trace import Trace
from pyvirt_trio import DomainEvent, DomainState, Hypervisor, Subscription

CHANNEL_LENGTH = 16
"""Notifications that may wait in the launcher; a story makes fewer."""


@attrs.define(eq=False)
class Handler:
    """Brings the volumes of a domain to what its specification says.

    Args:
        hypervisor: Of this node.
        trace: What it does is written there.
        mounted: Aliases of the volumes that are mounted on this node.
    """

    hypervisor: Hypervisor
    trace: Trace
    mounted: set[str] = attrs.field(factory=set[str])

    async def reconcile(self, name: str, wanted: set[str]) -> None:
        """One pass: what is not wanted leaves the domain, and is unmounted after that."""
        for alias in sorted(self.mounted - wanted):
            await self.remove_volume(name, alias)

    async def remove_volume(self, name: str, alias: str) -> None:
        """One volume goes."""
        await self.detach(name, alias)
        self.unmount(name, alias)

    async def detach(self, name: str, alias: str) -> None:
        """The domain has lost the volume."""
        await self.hypervisor.domain(name).detach_device(alias)

    def unmount(self, name: str, alias: str) -> None:
        """The node has lost it too."""
        self.mounted.discard(alias)
        live = self.hypervisor.domain(name).view.live
        is_there = live is not None and live.device(alias) is not None
        self.trace.did("handler", "unmounts", name, alias=alias, is_there=is_there)


class Launcher:
    """Follows one domain: events of the hypervisor, and notes about it from elsewhere.

    Args:
        hypervisor: Of this node.
        events: Its subscription.
        name: Of the domain.
    """

    def __init__(self, hypervisor: Hypervisor, events: Subscription, name: str) -> None:
        self.hypervisor = hypervisor
        self.events = events
        self.name = name
        self.reported: list[str] = []
        self.notes: list[str] = []
        self.known_state: str | None = None
        self._send, self._inbox = trio.open_memory_channel[DomainEvent | str](CHANNEL_LENGTH)

    def note(self, text: str) -> None:
        """Something about the domain, from elsewhere."""
        self._send.send_nowait(text)

    async def follow(self) -> None:
        """Put the events into the common channel."""
        async for record in self.events:
            if isinstance(record.event, DomainEvent):
                await self._send.send(record.event)

    async def work(self) -> None:
        """Handle one thing after the other, whichever channel it came by."""
        async for thing in self._inbox:
            if isinstance(thing, str):
                self.on_note(thing)
            else:
                self.on_event(thing)

    def on_event(self, event: DomainEvent) -> None:
        """Report it, whatever state the domain is in."""
        self.known_state = self.state()
        self.report(event)

    def on_note(self, text: str) -> None:
        """Keep it with the state of the domain, once there is one; it is read again then."""
        if self.known_state is not None:
            self.notes.append(f"{self.known_state.upper()}: {text}")

    def report(self, event: DomainEvent) -> None:
        """Tell the cluster."""
        self.reported.append(type(event).__name__)

    def state(self) -> str:
        """Of the domain, now."""
        return self.hypervisor.domain(self.name).status.state.name.lower()

    @property
    def is_paused(self) -> bool:
        """Whether the domain stands still."""
        return self.hypervisor.domain(self.name).status.state is DomainState.PAUSED
