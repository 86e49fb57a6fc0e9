"""A compute service in the style of OpenStack's nova: a database kept in step with events.

STOPPED is looked at only after a delay, and not at all when a later event of the same domain comes
meanwhile: a reboot stops and starts. An event whose state is not the present one is dropped, for
another one is on its way.
"""

from __future__ import annotations

import attrs
import trio

from pyvirt_sim.checkers.observer import state_of
from pyvirt_sim.checkers.trace import Trace
from pyvirt_trio import (
    DeviceRemoved,
    DomainEvent,
    DomainResumed,
    DomainStarted,
    DomainStopped,
    DomainSuspended,
    Hypervisor,
    Subscription,
)

STOPPED_DELAY_S = 15.0
_IMPLIED: dict[type[DomainEvent], str] = {
    DomainStarted: "running",
    DomainResumed: "running",
    DomainSuspended: "paused",
    DomainStopped: "shutoff",
}


@attrs.define(eq=False)
class Nova:
    """The service of one host.

    Args:
        hypervisor: Of this host.
        trace: What it does is written there.
        nursery: Runs delayed handlers.
    """

    hypervisor: Hypervisor
    trace: Trace
    nursery: trio.Nursery
    database: dict[str, str] = attrs.field(factory=dict[str, str])
    task_of: dict[str, str] = attrs.field(factory=dict[str, str])
    delayed: dict[str, trio.CancelScope] = attrs.field(factory=dict[str, trio.CancelScope])
    events: Subscription | None = None

    def subscribe(self) -> None:
        """Begin to listen; nothing is asked of the hypervisor before."""
        _, self.events = self.hypervisor.subscribe()

    async def listen(self) -> None:
        """Handle events until cancelled."""
        assert self.events is not None, "subscribe first"
        async for record in self.events:
            if isinstance(record.event, DomainEvent) and type(record.event) in _IMPLIED:
                self.on_event(record.event)

    def on_event(self, event: DomainEvent) -> None:
        """Handle it now; if it is a stop, later, and only if it is the last word."""
        pending = self.delayed.pop(event.domain, None)
        if pending is not None:
            pending.cancel()
        if isinstance(event, DomainStopped):
            self.nursery.start_soon(self.handle_later, event, name="nova, later")
        else:
            self.nursery.start_soon(self.handle, event, name="nova, now")

    async def handle_later(self, event: DomainEvent) -> None:
        """Handle it after the delay, unless this is cancelled."""
        with trio.CancelScope() as scope:
            self.delayed[event.domain] = scope
            await trio.sleep(STOPPED_DELAY_S)
        if self.delayed.get(event.domain) is scope:
            del self.delayed[event.domain]
        if not scope.cancelled_caught:
            await self.handle(event)

    async def handle(self, event: DomainEvent) -> None:
        """Bring the database in step, if the event still tells the present."""
        state = _IMPLIED[type(event)]
        if self.present(event, state) != state:
            return
        await self.sync_power_state(event.domain, state)

    def present(self, event: DomainEvent, _state: str) -> str:
        """What is so now."""
        return state_of(self.hypervisor, event.domain)

    async def sync_power_state(self, name: str, state: str) -> None:
        """An instance that stopped by itself is recorded as stopped, and kept so."""
        if self.task_of.get(name):
            return  # whoever is at it will see to it
        self.database[name] = state
        if state == "shutoff" and state_of(self.hypervisor, name) == "running":
            self.trace.did("nova", "stops", name)
            await self.hypervisor.domain(name).destroy()

    async def start(self, name: str) -> None:
        """The instance runs, as its owner wants."""
        self.task_of[name] = "starting"
        await self.hypervisor.domain(name).start()
        self.database[name] = "running"
        self.task_of[name] = ""

    async def reboot(self, name: str) -> None:
        """Hard reboot."""
        self.task_of[name] = "rebooting"
        await self.hypervisor.domain(name).destroy()
        await self.hypervisor.domain(name).start()
        self.task_of[name] = ""

    async def host_shuts_down(self, listening: trio.CancelScope) -> None:
        """The host is going down: what becomes of the guests now is nobody's wish."""
        listening.cancel()
        for domain in self.hypervisor.domains():
            await domain.destroy()

    async def unplug_port(self, name: str, alias: str) -> None:
        """A port leaves an instance: first the card, then what is behind it on this host."""
        await self.detach(name, alias)
        self.unplug(name, alias)

    def unplug(self, name: str, alias: str) -> None:
        """What is behind the card is taken down; the domain must have lost it."""
        live = self.hypervisor.domain(name).view.live
        is_there = live is not None and live.device(alias) is not None
        self.trace.did("nova", "unplugs port", name, alias=alias, is_there=is_there)

    async def detach(self, name: str, alias: str) -> None:
        """Ask for a device, and wait for the event that says it is gone."""
        _, events = self.hypervisor.subscribe()
        await self.hypervisor.domain(name).request_detach(alias)
        async for record in events:
            if isinstance(record.event, DeviceRemoved) and record.event.alias == alias:
                return
