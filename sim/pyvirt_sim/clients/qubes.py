"""A desktop system in the style of Qubes: what belongs to a life is cleaned up before the next."""

from __future__ import annotations

import attrs
import trio

from pyvirt_sim.checkers.trace import Trace
from pyvirt_trio import DomainStopped, Hypervisor, Subscription


@attrs.define(eq=False)
class Qubes:
    """The daemon of one machine.

    Args:
        hypervisor: What it drives.
        trace: What it does is written there.
        nursery: Runs its handlers.
    """

    hypervisor: Hypervisor
    trace: Trace
    nursery: trio.Nursery
    storage_of: dict[str, int] = attrs.field(factory=dict[str, int])
    seen_stops: list[int] = attrs.field(factory=list[int])
    events: Subscription | None = None
    _lock: trio.Lock = attrs.field(factory=trio.Lock)

    def connect(self, hypervisor: Hypervisor) -> None:
        """Talk to this hypervisor from now on; whatever was subscribed is subscribed again."""
        self.hypervisor = hypervisor
        self.subscribe()

    def subscribe(self) -> None:
        """Listen to the present hypervisor."""
        _, self.events = self.hypervisor.subscribe()

    async def listen(self) -> None:
        """Handle stops until cancelled, each in a task of its own."""
        if self.events is None:
            self.subscribe()
        while True:
            assert self.events is not None, "subscribed"
            with trio.move_on_after(1.0):  # it may be another subscription by then
                record = await self.events.receive()
                if isinstance(record.event, DomainStopped):
                    self.seen_stops.append(record.event.life)
                    self.nursery.start_soon(self.on_stopped, record.event, name="qubes, stopped")

    async def on_stopped(self, event: DomainStopped) -> None:
        """Clean up after a life, unless the next one has seen to that."""
        async with self._lock:
            if self.storage_of.get(event.domain) == event.life:
                self.stop_storage(event.domain, event.life)

    async def start(self, name: str) -> None:
        """Start a domain: first finish what its last life has left behind."""
        async with self._lock:
            domain = self.hypervisor.domain(name)
            if name in self.storage_of:
                self.stop_storage(name, self.storage_of[name])
            self.storage_of[name] = domain.view.life + 1
            await domain.start()

    def stop_storage(self, name: str, born: int) -> None:
        """Give back the storage that was started for the life ``born``."""
        life = self.storage_of.pop(name, 0)
        self.trace.did("qubes", "stops storage", name, born=born, life=life)
