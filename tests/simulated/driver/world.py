"""A simulated machine with a booted domain, for tests that run under plain Trio."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import attrs
import trio.testing

from pyvirt_sim.host import HostPlan, SimHost, SimPciDevice, open_sim_host
from pyvirt_sim.qemu.guest import Guest
from pyvirt_sim.scenarios.hot_unplug import ADDRESS, CONSOLE, DOMAIN_XML, console_says
from pyvirt_trio import Domain, DomainEvent, Hypervisor, Subscription, open_hypervisor
from pyvirt_trio.models.events import HypervisorEvent

URI = "qemu:///embed?root=/vms"
# Virtual time for a test that takes this argument; pytest-trio does not see `usefixtures`.
Clock = trio.testing.MockClock
RNG_XML = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"


def received(hypervisor: Hypervisor, events: Subscription) -> list[HypervisorEvent]:
    """The events that have come since the last call."""
    found: list[HypervisorEvent] = []
    while events.sequence < hypervisor.journal.sequence:
        found.append(events.receive_nowait().event)
    return found


@attrs.define
class World:
    """A machine, its hypervisor, one domain and what was announced so far."""

    host: SimHost
    hypervisor: Hypervisor
    domain: Domain
    events: Subscription

    @property
    def guest(self) -> Guest:
        """The operating system in the newest QEMU."""
        return self.host.processes()[-1].qemu.guest

    def announced(self) -> list[DomainEvent]:
        """The events of domains since the last call."""
        found = received(self.hypervisor, self.events)
        return [event for event in found if isinstance(event, DomainEvent)]

    async def boot(self) -> None:
        """Start the domain and wait until its guest handles hotplug."""
        await self.domain.start()
        await self.boot_finished()
        self.announced()

    async def boot_finished(self) -> None:
        """Wait until the guest of the started domain handles hotplug."""
        await console_says(self.host, CONSOLE, "simulated guest is up")


@asynccontextmanager
async def open_world(plan: HostPlan | None = None) -> AsyncGenerator[World]:
    async with open_sim_host(plan) as host:
        host.add_file("/boot/vmlinuz")
        host.add_pci_device(SimPciDevice(address=ADDRESS, driver="e1000e", iommu_group=7))
        async with open_hypervisor(URI, host=host) as hypervisor:
            domain = await hypervisor.define(DOMAIN_XML)
            _, events = hypervisor.subscribe()
            yield World(host, hypervisor, domain, events)
