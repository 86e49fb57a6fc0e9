"""Devices come and go: each way a removal can end, and what is true at each announcement."""

from __future__ import annotations

import pytest
import trio

from pyvirt_sim.qemu.guest import UnplugAnswer
from pyvirt_sim.scenarios.hot_unplug import ADDRESS, HOSTDEV_XML
from pyvirt_trio import (
    CommandFailedError,
    DefinitionError,
    DeviceInUseError,
    DeviceRemovalFailed,
    DeviceRemoved,
    InvalidStateError,
    NotFoundError,
    PciAddress,
    UnplugRefusedError,
)
from tests.simulated.driver.world import RNG_XML, Clock, World, open_world

MANAGED_XML = HOSTDEV_XML.replace("managed='no'", "managed='yes'")


def active(world: World) -> list[PciAddress]:
    return list(world.hypervisor.host_devices.active)


def inactive(world: World) -> list[PciAddress]:
    return list(world.hypervisor.host_devices.inactive)


async def driver(world: World) -> str | None:
    device = await world.hypervisor.node_device(ADDRESS.node_device_name)
    return (await device.describe()).driver


async def test_attach_and_detach_leave_the_machine_as_it_was(autojump_clock: Clock) -> None:
    async with open_world() as world:
        await world.boot()
        before = world.domain.definition
        device = await world.domain.attach_device(RNG_XML)
        assert device.alias == "rng0"
        assert world.domain.definition.device("rng0") == device
        await world.domain.detach_device("rng0")
        assert world.domain.definition == before
        kinds = [type(event).__name__ for event in world.announced()]
        assert kinds == ["DeviceAdded", "DeviceRemoved"]
        again = await world.domain.attach_device(RNG_XML)
        assert again == device


async def test_a_refusal_is_announced_and_raised_and_the_device_stays(
    autojump_clock: Clock,
) -> None:
    async with open_world() as world:
        await world.boot()
        await world.domain.attach_device(RNG_XML)
        world.announced()
        world.guest.unplug_answer = UnplugAnswer.REFUSE
        with pytest.raises(UnplugRefusedError, match="rejected by the guest"):
            await world.domain.detach_device("rng0")
        assert [type(event) for event in world.announced()] == [DeviceRemovalFailed]
        assert world.domain.definition.device("rng0") is not None
        world.guest.unplug_answer = UnplugAnswer.ACKNOWLEDGE
        await world.domain.detach_device("rng0")
        assert [type(event) for event in world.announced()] == [DeviceRemoved]


async def test_a_caller_who_gives_up_leaves_the_removal_pending_and_announced_once(
    autojump_clock: Clock,
) -> None:
    async with open_world() as world:
        await world.boot()
        await world.domain.attach_device(RNG_XML)
        world.announced()
        with trio.move_on_after(0.01) as patience:
            await world.domain.detach_device("rng0")
        assert patience.cancelled_caught
        assert world.domain.definition.device("rng0") is not None
        record = await world.events.receive()
        assert isinstance(record.event, DeviceRemoved)
        assert world.domain.definition.device("rng0") is None
        await trio.sleep(10)
        assert world.announced() == []


async def test_two_detaches_of_one_device_end_together(autojump_clock: Clock) -> None:
    async with open_world() as world:
        await world.boot()
        await world.domain.attach_device(RNG_XML)
        world.announced()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.domain.detach_device, "rng0")
            nursery.start_soon(world.domain.detach_device, "rng0")
        assert [type(event) for event in world.announced()] == [DeviceRemoved]


async def test_a_deaf_guest_is_asked_again_by_the_next_detach(autojump_clock: Clock) -> None:
    async with open_world() as world:
        await world.boot()
        await world.domain.attach_device(RNG_XML)
        world.guest.unplug_answer = UnplugAnswer.IGNORE
        with trio.move_on_after(1):
            await world.domain.detach_device("rng0")
        world.guest.unplug_answer = UnplugAnswer.ACKNOWLEDGE
        await trio.sleep(6)
        await world.domain.detach_device("rng0")
        assert world.domain.definition.device("rng0") is None


async def test_request_detach_returns_before_the_guest_has_answered(autojump_clock: Clock) -> None:
    async with open_world() as world:
        await world.boot()
        await world.domain.attach_device(RNG_XML)
        world.announced()
        await world.domain.request_detach("rng0")
        assert world.announced() == []
        assert isinstance((await world.events.receive()).event, DeviceRemoved)


async def test_a_domain_that_dies_ends_the_wait(autojump_clock: Clock) -> None:
    async with open_world() as world:
        await world.boot()
        await world.domain.attach_device(RNG_XML)
        world.guest.unplug_answer = UnplugAnswer.IGNORE
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def die() -> None:
                await trio.sleep(1)
                await world.domain.destroy()

            with pytest.raises(InvalidStateError, match="stopped before device rng0 was removed"):
                await world.domain.detach_device("rng0")


async def test_no_free_port_and_unknown_device_change_nothing(autojump_clock: Clock) -> None:
    async with open_world() as world:
        await world.boot()
        await world.domain.attach_device(RNG_XML)
        before = world.domain.view
        with pytest.raises(DefinitionError, match="No more available PCI slots"):
            await world.domain.attach_device(RNG_XML)
        with pytest.raises(NotFoundError, match="no device found with alias rng9"):
            await world.domain.detach_device("rng9")
        with pytest.raises(DefinitionError, match=r"Bus 'isa\.0' does not support hotplugging"):
            await world.domain.detach_device("serial0")
        assert world.domain.view == before


async def test_a_managed_host_device_makes_the_round_trip_by_itself(autojump_clock: Clock) -> None:
    async with open_world() as world:
        await world.boot()
        await world.domain.attach_device(MANAGED_XML)
        assert active(world) == [ADDRESS]
        assert await driver(world) == "vfio-pci"
        await world.domain.detach_device("hostdev0")
        assert active(world) == []
        assert inactive(world) == []
        assert await driver(world) == "e1000e"


async def test_an_unmanaged_host_device_must_be_detached_first_and_stays_inactive(
    autojump_clock: Clock,
) -> None:
    async with open_world() as world:
        await world.boot()
        with pytest.raises(InvalidStateError, match="must be manually detached from the host"):
            await world.domain.attach_device(HOSTDEV_XML)
        node_device = await world.hypervisor.node_device(ADDRESS.node_device_name)
        await node_device.detach()
        await world.domain.attach_device(HOSTDEV_XML)
        with pytest.raises(DeviceInUseError, match="in use by driver QEMU, domain demo"):
            await node_device.reattach()
        await world.domain.detach_device("hostdev0")
        assert inactive(world) == [ADDRESS]
        await node_device.reattach()
        assert await driver(world) == "e1000e"


async def test_an_attach_that_qemu_refuses_gives_the_host_device_back(
    autojump_clock: Clock,
) -> None:
    async with open_world() as world:
        await world.boot()
        # Somebody else has the IOMMU group open: the kernel says EBUSY to QEMU.
        await (await world.hypervisor.node_device(ADDRESS.node_device_name)).detach()
        stranger = world.host.open_vfio(str(ADDRESS), 4711, lambda: None)
        with pytest.raises(CommandFailedError, match="Device or resource busy"):
            await world.domain.attach_device(HOSTDEV_XML)
        stranger.close()
        assert active(world) == []
        assert inactive(world) == [ADDRESS]
        assert world.domain.definition.device("hostdev0") is None
        await world.domain.attach_device(HOSTDEV_XML)


async def test_destroying_a_domain_gives_its_host_devices_back_before_it_is_announced(
    autojump_clock: Clock,
) -> None:
    async with open_world() as world:
        await world.boot()
        await world.domain.attach_device(MANAGED_XML)
        world.announced()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.domain.destroy)
            record = await world.events.receive()
            while type(record.event).__name__ != "DomainStopped":
                record = await world.events.receive()
            assert active(world) == []
            assert await driver(world) == "e1000e"


async def test_the_default_route_of_the_machine_is_not_taken_away(autojump_clock: Clock) -> None:
    async with open_world() as world:
        device = world.host.pci.devices[str(ADDRESS)]
        device.network_interface = world.host.default_route = "eth0"
        with pytest.raises(InvalidStateError, match="stays with the host"):
            await (await world.hypervisor.node_device(ADDRESS.node_device_name)).detach()
        assert await driver(world) == "e1000e"


async def test_reattaching_what_was_never_detached_touches_nothing(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_world() as world:
        device = await world.hypervisor.node_device(ADDRESS.node_device_name)
        writes: list[str] = []
        monkeypatch.setattr(world.host.pci, "set_override", lambda *args: writes.append(args[1]))
        await device.reattach()
        assert writes == []
        assert await driver(world) == "e1000e"
