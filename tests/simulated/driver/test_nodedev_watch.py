"""Events of the host's devices: each is true when it comes, whatever the kernel does to its own."""

from __future__ import annotations

import trio

from pyvirt_sim.host import HostPlan, SimPciDevice
from pyvirt_sim.host.pci.uevents import MAX_QUEUED
from pyvirt_sim.scenarios.hot_unplug import ADDRESS
from pyvirt_trio import PciAddress
from pyvirt_trio.models.events import (
    HypervisorEvent,
    NodeDeviceCreated,
    NodeDeviceDeleted,
    NodeDeviceUpdated,
)
from tests.simulated.driver.world import Clock, World, open_world, received

NAME = ADDRESS.node_device_name
OTHER = PciAddress.parse("0000:05:00.0")


async def told(world: World) -> list[HypervisorEvent]:
    await trio.sleep(60)
    return received(world.hypervisor, world.events)


async def test_detaching_and_reattaching_are_changes_of_the_driver(autojump_clock: Clock) -> None:
    async with open_world() as world:
        await world.hypervisor.follow_node_devices()
        await world.hypervisor.follow_node_devices()
        device = await world.hypervisor.node_device(NAME)
        await device.detach()
        found = await told(world)
        assert NodeDeviceUpdated(device=NAME, driver="vfio-pci") == found[-1]
        await device.reattach()
        assert NodeDeviceUpdated(device=NAME, driver="e1000e") == (await told(world))[-1]
        assert await told(world) == []


async def test_a_device_that_comes_and_goes_is_told_of_once_each(autojump_clock: Clock) -> None:
    async with open_world() as world:
        await world.hypervisor.follow_node_devices()
        new = SimPciDevice(address=OTHER, driver="e1000e", iommu_group=9)
        await world.host.plug_pci_device(new)
        found = await told(world)
        assert found.count(NodeDeviceCreated(device=OTHER.node_device_name)) == 1
        await world.host.unplug_pci_device(new)
        found = await told(world)
        assert NodeDeviceDeleted(device=OTHER.node_device_name) == found[-1]


async def test_events_that_the_kernel_dropped_are_made_good_by_looking(
    autojump_clock: Clock,
) -> None:
    async with open_world(HostPlan.quiet()) as world:
        await world.hypervisor.follow_node_devices()
        for _ in range(MAX_QUEUED + 1):  # in one go: nobody receives meanwhile
            world.host.pci.uevents.publish("change", f"/devices/{ADDRESS}", "pci", {})
        device = SimPciDevice(address=OTHER, driver="e1000e", iommu_group=9)
        world.host.add_pci_device(device)
        assert NodeDeviceCreated(device=OTHER.node_device_name) in await told(world)


async def test_nobody_who_has_not_asked_is_told(autojump_clock: Clock) -> None:
    async with open_world() as world:
        await (await world.hypervisor.node_device(NAME)).detach()
        assert await told(world) == []
