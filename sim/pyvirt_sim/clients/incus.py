"""A container and machine manager in the style of Incus: it tells its clients how a VM ended."""

from __future__ import annotations

import attrs
import trio

from pyvirt_sim.checkers.trace import Trace
from pyvirt_trio import Domain, DomainStopped, Hypervisor, InvalidStateError

SHUTDOWN_PATIENCE_S = 5.0


@attrs.define(eq=False)
class Incus:
    """The daemon of one host.

    Args:
        hypervisor: What it drives.
        trace: What it tells is written there.
    """

    hypervisor: Hypervisor
    trace: Trace
    stopped: trio.Event = attrs.field(factory=trio.Event)
    operation: str = "none"

    async def listen(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """The hook that runs when a life ends: it alone tells of it."""
        _, events = self.hypervisor.subscribe()
        task_status.started()
        async for record in events:
            if isinstance(record.event, DomainStopped):
                self.tell(record.event.domain, record.event.life, self.operation)
                self.stopped.set()

    def tell(self, name: str, life: int, how: str) -> None:
        """Announce the end of a life."""
        self.trace.did("incus", "tells of the end", name, life=life, how=how)

    async def shut_down(self, name: str) -> None:
        """Ask the guest, and wait; `stop` it when that takes too long."""
        domain = self.hypervisor.domain(name)
        self.operation = "shutdown"
        await domain.shutdown()
        with trio.move_on_after(SHUTDOWN_PATIENCE_S):
            await self.stopped.wait()
            return
        await self.stop(domain)

    async def stop(self, domain: Domain) -> None:
        """End it."""
        self.operation = "stop"
        try:
            await domain.destroy()
        except InvalidStateError:
            return  # it has just ended by itself
