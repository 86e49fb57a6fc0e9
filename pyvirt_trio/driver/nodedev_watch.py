"""Tells of devices of the host that come, go, and change their drivers.

What the kernel tells is only a reason to look: its events come late, out of order or not at all,
and what they tell of may have changed again. So each of them leads to a look at sysfs, and what
differs from what was last announced is announced. An event is then true when it is received as far
as that is possible for what is not ours, and a loss is made good by looking at everything.
"""

from __future__ import annotations

import contextlib
import errno

import trio

from pyvirt_trio.abc import Host, Uevents
from pyvirt_trio.driver.journal import Journal
from pyvirt_trio.errors import DefinitionError, HostError, NotFoundError
from pyvirt_trio.host.pci import PciBus
from pyvirt_trio.models.addresses import PciAddress
from pyvirt_trio.models.events import NodeDeviceCreated, NodeDeviceDeleted, NodeDeviceUpdated

RETRY_PAUSE_S = 1.0
"""How long a host that could not be looked at is left alone."""


class NodeDeviceWatch:
    """The PCI devices of one host, as they were last announced."""

    def __init__(self, host: Host, journal: Journal) -> None:
        self._host = host
        self._bus = PciBus(host)
        self._journal = journal
        self._known: dict[PciAddress, str | None] = {}
        self._is_behind = False

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Follow the kernel's events until cancelled.

        Raises:
            HostError: (before it has started) sysfs cannot be read, or the kernel does not tell.
        """
        try:
            uevents = self._host.open_uevents()
        except OSError as error:
            raise HostError(f"cannot listen to the kernel: {error.strerror}") from error
        try:
            for address in await self._bus.addresses():
                self._known[address] = await self._driver(address)
            task_status.started()
            while True:
                await self._follow(uevents)
        finally:
            uevents.close()

    async def _follow(self, uevents: Uevents) -> None:
        """Deal with one event; when the host fails, look at everything a little later."""
        try:
            addresses = await self._next(uevents)
            await self._look_at(addresses)
        except HostError:
            self._is_behind = True
            await trio.sleep(RETRY_PAUSE_S)

    async def _next(self, uevents: Uevents) -> list[PciAddress]:
        """The devices that the next event gives a reason to look at."""
        while not self._is_behind:
            try:
                event = await uevents.receive()
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise HostError(f"the kernel tells no more: {error.strerror}") from error
                self._is_behind = True
                break
            if event.subsystem == "pci":
                with contextlib.suppress(DefinitionError):  # no function of a device
                    return [PciAddress.parse(event.devpath.rpartition("/")[2])]
        addresses = sorted({*self._known, *await self._bus.addresses()})
        self._is_behind = False
        return addresses

    async def _look_at(self, addresses: list[PciAddress]) -> None:
        present = set(await self._bus.addresses())
        for address in addresses:
            driver = await self._driver(address) if address in present else None
            self._announce(address, is_present=address in present, driver=driver)

    async def _driver(self, address: PciAddress) -> str | None:
        try:
            return await self._bus.driver(address)
        except NotFoundError:
            return None  # it has left meanwhile, and an event will say so

    def _announce(self, address: PciAddress, *, is_present: bool, driver: str | None) -> None:
        name, was_known = address.node_device_name, address in self._known
        with self._journal.commit() as commit:
            if not is_present:
                if was_known:
                    del self._known[address]
                    commit.announce(NodeDeviceDeleted(device=name))
                return
            if not was_known:
                commit.announce(NodeDeviceCreated(device=name))
            elif self._known[address] != driver:
                commit.announce(NodeDeviceUpdated(device=name, driver=driver))
            self._known[address] = driver
