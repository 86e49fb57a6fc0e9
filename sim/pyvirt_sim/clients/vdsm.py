"""A host agent in the style of oVirt's vdsm: its calls wait for events, its events do the work."""

from __future__ import annotations

import attrs
import trio

from pyvirt_sim.checkers.trace import Trace
from pyvirt_trio import DeviceRemoved, DomainStopped, Hypervisor, NotFoundError

UNPLUG_PATIENCE_S = 5.0


@attrs.define(eq=False)
class Vdsm:
    """The agent of one host.

    Args:
        hypervisor: Of this host.
        trace: What it does is written there.
    """

    hypervisor: Hypervisor
    trace: Trace
    removed: dict[str, trio.Event] = attrs.field(factory=dict[str, trio.Event])
    exit_reason: dict[tuple[str, int], str] = attrs.field(factory=dict[tuple[str, int], str])

    async def listen(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Handle events until cancelled."""
        _, events = self.hypervisor.subscribe()
        task_status.started()
        async for record in events:
            match record.event:
                case DeviceRemoved() as event:
                    self.on_removed(event)
                case DomainStopped() as event:
                    self.set_exit_reason(event.domain, event.life, event.detail.name.lower())
                case _:
                    pass

    def on_removed(self, event: DeviceRemoved) -> None:
        """Tear down what this host had for the device, then tell who waits."""
        self.clean_up(event.domain, event.alias)
        self.removed.setdefault(event.alias, trio.Event()).set()

    def clean_up(self, name: str, alias: str) -> None:
        """What belongs to the device on this host is given back."""
        self.trace.did("vdsm", "cleans up", name, alias=alias)

    async def hot_unplug(self, name: str, alias: str) -> None:
        """A device leaves a domain.

        Raises:
            TimeoutError: It has not yet; the event will see to the rest.
        """
        self.removed[alias] = trio.Event()
        await self.hypervisor.domain(name).request_detach(alias)
        with trio.move_on_after(UNPLUG_PATIENCE_S):
            await self.removed[alias].wait()
            return
        raise TimeoutError(alias)

    async def destroy(self, name: str) -> None:
        """The domain is off because somebody asked for it."""
        domain = self.hypervisor.domain(name)
        self.set_exit_reason(name, domain.view.life, "user")
        await domain.destroy()

    def set_exit_reason(self, name: str, life: int, reason: str) -> None:
        """Why a life has ended: the first to know is believed."""
        if (name, life) not in self.exit_reason:
            self.exit_reason[name, life] = reason
            self.trace.did("vdsm", "sets the exit reason", name, life=life, reason=reason)

    async def statistics(self) -> dict[str, int]:
        """Memory of every domain there is; one that goes meanwhile is left out."""
        found: dict[str, int] = {}
        for name in [domain.name for domain in self.hypervisor.domains()]:
            await trio.lowlevel.checkpoint()  # each is a call of its own
            try:
                found[name] = self.memory_of(name)
            except NotFoundError:
                continue
        return found

    def memory_of(self, name: str) -> int:
        """Memory of one domain in KiB."""
        return self.hypervisor.domain(name).definition.memory_kib
