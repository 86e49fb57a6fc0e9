"""A network agent that samples what is plugged, and a service that plugs again behind its back."""

from __future__ import annotations

import attrs
import trio

from pyvirt_trio import Hypervisor

PERIOD_S = 2.0


@attrs.define(eq=False)
class NetworkAgent:
    """Tells of cards that were not there when it looked the last time.

    Args:
        hypervisor: Of this host.
    """

    hypervisor: Hypervisor
    known: frozenset[str] = frozenset()
    notice: trio.Event = attrs.field(factory=trio.Event)

    async def poll(self, name: str) -> None:
        """Look every two seconds, until cancelled."""
        while True:
            live = self.hypervisor.domain(name).view.live
            devices = () if live is None else live.devices
            seen = frozenset(str(device.alias) for device in devices)
            if seen - self.known:
                self.notice.set()
                self.notice = trio.Event()
            self.known = seen
            await trio.sleep(PERIOD_S)


@attrs.define(eq=False)
class Replugger:
    """Takes a card out and puts it back in.

    Args:
        hypervisor: Of this host.
        agent: Who else must know.
    """

    hypervisor: Hypervisor
    agent: NetworkAgent

    async def plug_again(self, name: str, alias: str, xml: str) -> None:
        """The card is new. The agent may not have seen it go, so nobody waits for its notice."""
        domain = self.hypervisor.domain(name)
        await domain.detach_device(alias)
        notice = self.agent.notice
        await domain.attach_device(xml)
        await self.after_plug(notice)

    async def after_plug(self, _notice: trio.Event) -> None:
        """Go on; a short absence may have escaped the agent."""
