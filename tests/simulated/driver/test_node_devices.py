"""Node devices: what each call does, and what it leaves alone; `host_refusals` has the refusals."""

from __future__ import annotations

from collections.abc import Awaitable

import pytest
import trio
import trio.testing

from pyvirt_sim.host import SimHost, SimPciDevice, open_sim_host
from pyvirt_sim.scenarios.hot_unplug import ADDRESS
from pyvirt_trio import (
    HostError,
    Hypervisor,
    InvalidStateError,
    NotFoundError,
    PciAddress,
    PyvirtError,
    open_hypervisor,
)
from pyvirt_trio.errors import ErrorCode
from pyvirt_trio.host.pci import PciBus
from tests.simulated.driver.world import URI, Clock, open_world

NAME = ADDRESS.node_device_name


def card(**more: object) -> SimPciDevice:
    return SimPciDevice(address=ADDRESS, driver="e1000e", iommu_group=7, **more)  # type: ignore[arg-type]


async def driver_of(host: SimHost, address: PciAddress = ADDRESS) -> str | None:
    return await PciBus(host).driver(address)


async def refusal(call: Awaitable[object], kind: type[PyvirtError]) -> tuple[int, str]:
    with pytest.raises(kind) as caught:
        await call
    return int(caught.value.code), str(caught.value)


async def test_detaching_twice_is_detaching_once(autojump_clock: Clock) -> None:
    async with open_world() as world:
        device = await world.hypervisor.node_device(NAME)
        await device.detach()
        await device.detach()
        assert world.hypervisor.host_devices.inactive == (ADDRESS,)


async def test_the_driver_that_is_for_guests_may_be_named(autojump_clock: Clock) -> None:
    async with open_world() as world:
        device = await world.hypervisor.node_device(NAME)
        await device.detach(driver="vfio")
        assert await driver_of(world.host) == "vfio-pci"
        assert world.hypervisor.host_devices.inactive == (ADDRESS,)


async def test_a_card_that_carries_the_default_route_is_detached_only_by_force(
    autojump_clock: Clock,
) -> None:
    async with open_sim_host() as host, open_hypervisor(URI, host=host) as hypervisor:
        host.add_pci_device(card(network_interface="eth0"))
        host.default_route = "eth0"
        device = await hypervisor.node_device(NAME)
        code, text = await refusal(device.detach(), InvalidStateError)
        assert code == 55
        assert text.endswith("carries eth0, the interface of a default route")
        code, text = await refusal(device.reset(), InvalidStateError)
        assert code == 55
        assert text.startswith(f"PCI device {ADDRESS} is not reset: ")
        assert await driver_of(host) == "e1000e"
        await device.detach(force=True)
        assert await driver_of(host) == "vfio-pci"


# -- reattach --------------------------------------------------------------------------------------


async def writes_of(host: SimHost, call: Awaitable[None]) -> list[str]:
    """What is written into sysfs during a call."""
    written: list[str] = []
    original = host.write_attribute

    async def write_attribute(path: str, text: str) -> None:
        written.append(path.rpartition("/")[2])
        await original(path, text)

    host.write_attribute = write_attribute  # type: ignore[method-assign]
    try:
        await call
    finally:
        host.write_attribute = original  # type: ignore[method-assign]
    return written


async def test_a_device_that_was_never_detached_is_rebound_only_when_asked(
    autojump_clock: Clock,
) -> None:
    """libvirt does it unasked, and takes the machine's own network card off the network."""
    async with open_world() as world:
        device = await world.hypervisor.node_device(NAME)
        assert await writes_of(world.host, device.reattach()) == []
        forced = await writes_of(world.host, device.reattach(force=True))
        assert forced == ["driver_override", "unbind", "drivers_probe"]
        assert await driver_of(world.host) == "e1000e"


async def test_a_device_that_somebody_else_put_on_a_stub_driver_stays_there(
    autojump_clock: Clock,
) -> None:
    async with open_world() as world:
        await PciBus(world.host).bind_vfio(ADDRESS)
        device = await world.hypervisor.node_device(NAME)
        assert await refusal(device.reattach(), InvalidStateError) == (
            55,
            f"PCI device {ADDRESS} was not detached from the host here and stays with vfio-pci",
        )
        assert await driver_of(world.host) == "vfio-pci"
        await device.reattach(force=True)
        assert await driver_of(world.host) == "e1000e"


async def test_a_detached_device_that_leaves_the_machine_leaves_the_list(
    autojump_clock: Clock,
) -> None:
    async with open_world() as world:
        device = await world.hypervisor.node_device(NAME)
        await device.detach()
        await world.host.unplug_pci_device(world.host.pci.devices[str(ADDRESS)])
        assert list(world.hypervisor.host_devices.inactive) == [ADDRESS]
        await refusal(device.reattach(), NotFoundError)
        assert list(world.hypervisor.host_devices.inactive) == []


async def test_what_was_detached_is_known_after_a_restart(autojump_clock: Clock) -> None:
    async with open_sim_host() as host:
        host.add_pci_device(card())
        async with open_hypervisor(URI, host=host) as hypervisor:
            await (await hypervisor.node_device(NAME)).detach()
        async with open_hypervisor(URI, host=host) as hypervisor:
            assert hypervisor.host_devices.inactive == (ADDRESS,)
            await (await hypervisor.node_device(NAME)).reattach()
            assert await driver_of(host) == "e1000e"
        async with open_hypervisor(URI, host=host) as hypervisor:
            assert hypervisor.host_devices.inactive == ()


async def test_what_went_back_by_other_hands_is_not_inactive_after_a_restart(
    autojump_clock: Clock,
) -> None:
    async with open_sim_host() as host:
        host.add_pci_device(card())
        async with open_hypervisor(URI, host=host) as hypervisor:
            await (await hypervisor.node_device(NAME)).detach()
        await PciBus(host).return_to_host_driver(ADDRESS)
        async with open_hypervisor(URI, host=host) as hypervisor:
            assert hypervisor.host_devices.inactive == ()


# -- reset -----------------------------------------------------------------------------------------


async def resets(host: SimHost, hypervisor: Hypervisor) -> list[str]:
    device = await hypervisor.node_device(NAME)
    return await writes_of(host, device.reset())


@pytest.mark.parametrize(
    ("methods", "expected"),
    [
        (("flr", "pm", "bus"), []),
        (("af_flr", "pm"), []),
        (("pm", "bus"), ["reset"]),
        (("bus", "pm"), ["reset_method", "reset", "reset_method"]),
        (("bus",), ["reset"]),
    ],
)
async def test_the_ways_to_reset_in_libvirts_order(
    methods: tuple[str, ...], expected: list[str], autojump_clock: Clock
) -> None:
    async with open_sim_host() as host, open_hypervisor(URI, host=host) as hypervisor:
        host.add_pci_device(card(reset_methods=methods))
        assert await resets(host, hypervisor) == expected
        shown = await host.read_text(f"/sys/bus/pci/devices/{ADDRESS}/reset_method")
        assert tuple(shown.split()) == methods


async def test_a_device_on_vfio_is_not_reset_by_the_call(autojump_clock: Clock) -> None:
    async with open_world() as world:
        await (await world.hypervisor.node_device(NAME)).detach()
        assert await resets(world.host, world.hypervisor) == []


@pytest.mark.parametrize("address", [ADDRESS, PciAddress.parse("0000:00:03.0")])
async def test_a_device_without_any_way_to_reset_it(
    address: PciAddress, autojump_clock: Clock
) -> None:
    async with open_sim_host() as host, open_hypervisor(URI, host=host) as hypervisor:
        host.add_pci_device(
            SimPciDevice(address=address, driver="e1000e", iommu_group=7, reset_methods=())
        )
        device = await hypervisor.node_device(address.node_device_name)
        assert await refusal(device.reset(), HostError) == (
            1,
            f"Unable to reset PCI device {address}: no FLR, PM reset or bus reset available",
        )


async def test_a_reset_that_the_kernel_refuses(autojump_clock: Clock) -> None:
    async with open_sim_host() as host, open_hypervisor(URI, host=host) as hypervisor:
        host.add_pci_device(card(reset_methods=("bus",), bus_reset_works=False))
        device = await hypervisor.node_device(NAME)
        code, text = await refusal(device.reset(), HostError)
        assert code == ErrorCode.SYSTEM_ERROR
        assert text.startswith(f"Failed to reset PCI device {ADDRESS}: ")


@pytest.mark.parametrize("force", [False, True])
async def test_a_network_card_is_back_when_its_interface_is(
    force: bool, autojump_clock: Clock
) -> None:
    """Its driver makes the interface a moment after it has taken the card."""
    async with open_sim_host() as host, open_hypervisor(URI, host=host) as hypervisor:
        host.add_pci_device(card(network_interface="eth1", interface_delay_s=0.3))
        device = await hypervisor.node_device(NAME)
        if not force:
            await device.detach()
        await device.reattach(force=force)
        assert await host.list_directory("/sys/class/net") == ["eth1"]


async def test_a_card_whose_interface_never_comes_is_back_all_the_same(
    autojump_clock: Clock,
) -> None:
    async with open_sim_host() as host, open_hypervisor(URI, host=host) as hypervisor:
        host.add_pci_device(card(network_interface="eth1", interface_delay_s=1e6))
        device = await hypervisor.node_device(NAME)
        await device.detach()
        began_s = trio.current_time()
        await device.reattach()
        assert trio.current_time() - began_s == pytest.approx(2)
        assert await driver_of(host) == "e1000e"
        assert list(hypervisor.host_devices.inactive) == []
