"""A web interface in the style of Cockpit: every event makes it read the domain again.

Each property is a call of its own over a bus, so a refresh takes many turns, and events come in the
middle of it. What a refresh has read is written only if nothing has happened meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import trio

from pyvirt_trio import DomainEvent, Hypervisor, NotFoundError

PROPERTIES = 4
"""How many other properties are read after the state."""


@attrs.define(eq=False)
class Cockpit:
    """One browser window.

    Args:
        hypervisor: What it shows.
        nursery: Runs its handlers, side by side.
    """

    hypervisor: Hypervisor
    nursery: trio.Nursery
    machines: dict[str, Mapping[str, object]] = attrs.field(factory=dict[str, Mapping[str, object]])
    versions: dict[str, int] = attrs.field(factory=dict[str, int])

    async def listen(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Handle events until cancelled; handlers overlap."""
        _, events = self.hypervisor.subscribe()
        task_status.started()
        async for record in events:
            if isinstance(record.event, DomainEvent):
                self.on_event(record.event)

    def on_event(self, event: DomainEvent) -> None:
        """Whatever it tells: read the domain again, and let the outcome decide."""
        self.versions[event.domain] = self.versions.get(event.domain, 0) + 1
        self.nursery.start_soon(self.refresh, event.domain, name="cockpit's refresh")

    async def refresh(self, name: str) -> None:
        """Read everything; if something happened meanwhile, that event's own refresh counts."""
        version = self.versions.get(name, 0)
        try:
            machine = await self.read(name)
        except NotFoundError:
            machine = None
        if version == self.versions.get(name, 0):
            self.show(name, machine)

    async def read(self, name: str) -> Mapping[str, object]:
        """All properties, one call each.

        Raises:
            NotFoundError: It has gone.
        """
        await trio.lowlevel.checkpoint()
        state = self.hypervisor.domain(name).status.state.name.lower()
        for _ in range(PROPERTIES):
            await trio.lowlevel.checkpoint()
        domain = self.hypervisor.domain(name)
        return {"state": state, "persistent": domain.is_persistent}

    def show(self, name: str, machine: Mapping[str, object] | None) -> None:
        """What the user sees."""
        if machine is None:
            self.machines.pop(name, None)
        else:
            self.machines[name] = machine
