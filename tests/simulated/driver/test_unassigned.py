"""A device of the host that is kept for a guest and not shown to it (``type='unassigned'``)."""

from __future__ import annotations

from pyvirt_sim.scenarios.hot_unplug import ADDRESS, HOSTDEV_XML
from pyvirt_trio import DeviceAdded, DeviceRemoved, Impact
from pyvirt_trio.host.pci import PciBus
from tests.conformance.scenarios.test_hotpluggable_types import there
from tests.simulated.driver.test_restart import boot, open_machine, reconnected
from tests.simulated.driver.world import Clock, World, open_world

UNSEEN = HOSTDEV_XML.replace("managed='no'", "managed='yes'").replace(
    "</hostdev>", "<address type='unassigned'/></hostdev>"
)


async def driver(world: World) -> str | None:
    return await PciBus(world.host).driver(ADDRESS)


async def test_it_is_taken_from_the_host_and_given_back_without_a_word_to_qemu(
    autojump_clock: Clock,
) -> None:
    async with open_world() as world:
        await world.domain.start(paused=True)
        world.announced()
        before = await there(world.domain)
        device = await world.domain.attach_device(UNSEEN)
        assert (device.alias, device.address) == ("hostdev0", None)
        assert "<address type='unassigned'/>" in world.domain.xml()
        assert (await driver(world), world.hypervisor.host_devices.active) == (
            "vfio-pci",
            (ADDRESS,),
        )
        assert before == await there(world.domain)
        await world.domain.detach_device("hostdev0")  # no guest runs that could answer
        assert (await driver(world), world.hypervisor.host_devices.active) == ("e1000e", ())
        assert [type(event) for event in world.announced()] == [DeviceAdded, DeviceRemoved]


async def test_a_start_takes_it_and_the_end_gives_it_back(autojump_clock: Clock) -> None:
    async with open_world() as world:
        await world.domain.attach_device(UNSEEN, Impact.CONFIG)
        await world.domain.start()
        assert await driver(world) == "vfio-pci"
        await world.domain.destroy()
        assert await driver(world) == "e1000e"


async def test_a_new_manager_knows_who_has_it_and_can_take_it_back(
    autojump_clock: Clock,
) -> None:
    async with open_machine() as machine:
        async with machine.manager() as hypervisor:
            await boot(machine, hypervisor)
            await hypervisor.domain("demo").attach_device(UNSEEN)
        machine.heard()
        async with machine.manager() as hypervisor:
            await reconnected(hypervisor)
            assert list(hypervisor.host_devices.active) == [ADDRESS]
            await hypervisor.domain("demo").detach_device("hostdev0")
            assert list(hypervisor.host_devices.active) == []
            assert await PciBus(machine.host).driver(ADDRESS) == "e1000e"
        assert machine.heard() == ["DeviceRemoved"]
