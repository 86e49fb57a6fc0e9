"""A machine whose rules are what people do to domains."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import hypothesis.strategies as st
import trio

from pyvirt_sim.machines.machine import Machine, invariant, rule
from pyvirt_sim.strategies.definitions import device_xml, domain_xml
from pyvirt_trio import (
    DeviceAdded,
    DeviceRemoved,
    Domain,
    DomainStarted,
    DomainStopped,
    Hypervisor,
    PyvirtError,
)

NAMES = ("red", "blue")
QUIESCENCE_S = 120.0
"""Virtual seconds after which a removal that is still to come has come."""
PATIENCE_S = 5.0
"""Virtual seconds that a client waits for a device to go; then it leaves the request pending."""


class DomainMachine(Machine):
    """Clients define, start, end, plug and unplug; what was announced agrees with what there is.

    A call that libvirt would refuse is refused here too, with a `PyvirtError`, and is no failure:
    the machine looks at what is promised whether a call succeeds or not. Derive from it to add
    rules and invariants of your own.

    Args:
        hypervisor: An open one, on a simulated host that has the files of `strategies.FILES`.

    Attributes:
        refused: The errors of calls that were refused, in order.
    """

    def __init__(self, hypervisor: Hypervisor) -> None:
        self.hypervisor = hypervisor
        self.refused: list[PyvirtError] = []
        _, self._events = hypervisor.subscribe()
        self._announced: dict[tuple[str, int], list[str]] = {}

    @rule(xml=domain_xml(NAMES))
    async def define(self, xml: str) -> None:
        """``virDomainDefineXML``."""
        await self.tried(self.hypervisor.define, xml)

    @rule(number=st.integers(0, 1))
    async def start(self, number: int) -> None:
        """``virDomainCreate``."""
        if (domain := self._domain(number)) is not None:
            await self.tried(domain.start)

    @rule(number=st.integers(0, 1))
    async def destroy(self, number: int) -> None:
        """``virDomainDestroy``."""
        if (domain := self._domain(number)) is not None:
            await self.tried(domain.destroy)

    @rule(number=st.integers(0, 1), xml=device_xml())
    async def attach(self, number: int, xml: str) -> None:
        """``virDomainAttachDevice``."""
        if (domain := self._domain(number)) is not None:
            await self.tried(domain.attach_device, xml)

    @rule(number=st.integers(0, 1), index=st.integers(0, 3))
    async def detach(self, number: int, index: int) -> None:
        """``virDomainDetachDevice`` of one of the devices that have come, if there are any."""
        domain = self._domain(number)
        if domain is None or domain.view.live is None:
            return
        plugged = self._plugged(domain)
        if plugged:
            with trio.move_on_after(PATIENCE_S):
                await self.tried(domain.detach_device, plugged[index % len(plugged)])

    @invariant
    async def events_tell_what_there_is(self) -> None:
        """Whatever is announced and not announced as gone is there, once nothing is under way."""
        await trio.sleep(QUIESCENCE_S)
        self._read_events()
        for domain in self.hypervisor.domains():
            view = domain.view
            if view.live is None:
                continue
            announced = self._announced.get((domain.name, view.life), [])
            there = [alias for alias in announced if view.live.device(alias) is None]
            assert there == [], f"{domain.name} was announced to have {there}"

    def _read_events(self) -> None:
        while self._events.sequence < self.hypervisor.journal.sequence:
            event = self._events.receive_nowait().event
            if isinstance(event, DomainStarted | DomainStopped):
                self._announced.pop((event.domain, event.life), None)
            elif isinstance(event, DeviceAdded):
                self._announced.setdefault((event.domain, event.life), []).append(event.alias)
            elif isinstance(event, DeviceRemoved):
                aliases = self._announced.get((event.domain, event.life), [])
                assert event.alias in aliases, f"{event} was announced, and was not there"
                aliases.remove(event.alias)

    def _plugged(self, domain: Domain) -> Sequence[str]:
        """The aliases of what was plugged and is announced to be there."""
        self._read_events()
        return self._announced.get((domain.name, domain.view.life), [])

    def _domain(self, number: int) -> Domain | None:
        domains = self.hypervisor.domains()
        return domains[number % len(domains)] if domains else None

    async def tried(self, call: Callable[..., Awaitable[object]], *arguments: object) -> None:
        """Await ``call(*arguments)``; a refusal is kept in `refused`."""
        try:
            await call(*arguments)
        except PyvirtError as error:
            self.refused.append(error)
