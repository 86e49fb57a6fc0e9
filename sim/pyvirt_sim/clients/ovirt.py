"""A central engine in the style of oVirt's: it polls hosts, gets their events, and gives orders."""

from __future__ import annotations

import attrs
import trio

from pyvirt_trio import Hypervisor

FETCH_S = 0.2
"""How long a poll's answer is under way."""


@attrs.define(eq=False)
class Engine:
    """What the engine knows of one host.

    Args:
        hypervisor: Of the host.
    """

    hypervisor: Hypervisor
    devices: dict[str, float] = attrs.field(factory=dict[str, float])
    accepted: list[str] = attrs.field(factory=list[str])
    _boot: str = ""
    _last_stamp_s: float = -1.0

    async def monitor(self, name: str, period_s: float) -> None:
        """Poll the devices of a domain for ever."""
        while True:
            await trio.sleep(period_s)
            await self.poll(name)

    async def poll(self, name: str) -> None:
        """Fetch the devices of a domain; what is in the answer no more has been unplugged."""
        fetched_s = trio.current_time()
        live = self.hypervisor.domain(name).view.live
        there = set[str]() if live is None else {str(device.alias) for device in live.devices}
        await trio.sleep(FETCH_S)
        for alias, since_s in list(self.devices.items()):
            if alias not in there and self.may_drop(since_s, fetched_s):
                del self.devices[alias]

    def may_drop(self, since_s: float, fetched_s: float) -> bool:
        """Only what was known when the answer was made: it says nothing of what came later."""
        return since_s < fetched_s

    async def hot_plug(self, name: str, xml: str) -> None:
        """A domain gets a device, and the engine notes it."""
        device = await self.hypervisor.domain(name).attach_device(xml)
        self.devices[str(device.alias)] = trio.current_time()

    def receive(self, kind: str, boot: str, stamp_s: float) -> None:
        """An event of the host, stamped with seconds since its boot; old ones are dropped."""
        if self.is_new_boot(boot):
            self._boot, self._last_stamp_s = boot, -1.0
        if stamp_s < self._last_stamp_s:
            return  # overtaken on its way
        self._last_stamp_s = stamp_s
        self.accepted.append(kind)

    def is_new_boot(self, boot: str) -> bool:
        """Whether the host has booted since the last event: its clock has begun anew."""
        return boot != self._boot
