"""Whatever several callers do with a few host devices at once, lists, drivers and notes agree."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import hypothesis.strategies as st
import pytest
import trio
from hypothesis import given

from pyvirt_sim.host import HostPlan, SimHost, SimPciDevice, open_sim_host
from pyvirt_trio.driver.hostdevs import HostDeviceManager, Owner
from pyvirt_trio.errors import PyvirtError
from pyvirt_trio.host.pci import PciBus
from pyvirt_trio.models import HostDevice, PciAddress

NOTES = "/vms/run/hostdevs.json"
TWINS = [PciAddress.parse("0000:01:00.0"), PciAddress.parse("0000:01:00.1")]
ALONE = PciAddress.parse("0000:02:00.0")
ALL = [*TWINS, ALONE]
OWNERS = [Owner("one", 1), Owner("two", 1)]


@asynccontextmanager
async def machine() -> AsyncGenerator[tuple[SimHost, HostDeviceManager]]:
    """Two devices of one IOMMU group, and one alone."""
    async with open_sim_host(HostPlan.quiet()) as host:
        for address, group in zip(ALL, (1, 1, 2), strict=True):
            host.add_pci_device(SimPciDevice(address=address, driver="e1000e", iommu_group=group))
        await host.make_directory("/vms/run")
        yield host, HostDeviceManager(host, NOTES)


def check_now(manager: HostDeviceManager) -> None:
    """What must be true at every step: no device in two lists, no group in two domains."""
    assert not set(manager.active) & set(manager.inactive)
    owners = {manager.owner(address) for address in TWINS} - {None}
    assert len(owners) <= 1


async def check_at_rest(host: SimHost, manager: HostDeviceManager) -> None:
    check_now(manager)
    bus = PciBus(host)
    taken = json.loads(await host.read_text(NOTES))["taken"] if await host.exists(NOTES) else []
    for address in ALL:
        is_listed = address in (*manager.active, *manager.inactive)
        assert (await bus.driver(address) == "vfio-pci") == is_listed, address
        assert (str(address) in taken) == is_listed, address


async def act(manager: HostDeviceManager, what: tuple[str, int, int]) -> None:
    """One call of one caller; refusals are answers too."""
    kind, which, who = what
    address, owner = ALL[which], OWNERS[who]
    device = HostDevice(source=address, is_managed=kind != "unmanaged")
    try:
        if kind == "detach":
            await manager.detach(address)
        elif kind == "reattach":
            await manager.reattach(address)
        elif kind == "reset":
            await manager.reset(address)
        elif kind == "release":
            await manager.release(owner)
        else:
            await manager.prepare(owner, [device])
    except PyvirtError:
        pass


KINDS = ["detach", "reattach", "reset", "release", "managed", "unmanaged"]
acts = st.tuples(st.sampled_from(KINDS), st.integers(0, 2), st.integers(0, 1))
callers = st.lists(st.lists(acts, max_size=4), min_size=2, max_size=3)


@pytest.mark.simulated(schedules=10)
@given(callers=callers, patience=st.integers(0, 40))
async def test_lists_drivers_and_notes_agree(
    callers: list[list[tuple[str, int, int]]], patience: int
) -> None:
    async with machine() as (host, manager):

        async def call(what: list[tuple[str, int, int]]) -> None:
            for one in what:
                await act(manager, one)
                check_now(manager)

        async with trio.open_nursery() as nursery:
            async with trio.open_nursery() as impatient:
                impatient.start_soon(call, callers[0])
                for what in callers[1:]:
                    nursery.start_soon(call, what)
                for _ in range(patience):
                    check_now(manager)
                    await trio.lowlevel.checkpoint()
                impatient.cancel_scope.cancel()
        await check_at_rest(host, manager)
        for owner in OWNERS:
            await manager.release(owner)
        for address in ALL:
            await manager.reattach(address)
        assert list(manager.inactive) == []
        await check_at_rest(host, manager)
