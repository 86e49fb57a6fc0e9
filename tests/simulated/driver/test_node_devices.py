"""Node devices: what each call refuses, in libvirt's words, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from pyvirt_sim.host import SimHost, SimPciDevice, open_sim_host
from pyvirt_sim.scenarios.hot_unplug import ADDRESS, HOSTDEV_XML
from pyvirt_trio import (
    DefinitionError,
    DeviceInUseError,
    HostError,
    Hypervisor,
    InvalidStateError,
    NodeDevice,
    NotFoundError,
    PciAddress,
    PyvirtError,
    open_hypervisor,
)
from pyvirt_trio.errors import ErrorCode
from pyvirt_trio.host.pci import PciBus
from tests.simulated.driver.world import URI, Clock, open_world

NAME = ADDRESS.node_device_name
NEIGHBOUR = PciAddress.parse("0000:01:00.1")
BRIDGE = PciAddress.parse("0000:00:1c.0")
Call = Callable[[NodeDevice], Awaitable[None]]
CALLS: dict[str, Call] = {
    "detach": lambda device: device.detach(),
    "reattach": lambda device: device.reattach(),
    "reset": lambda device: device.reset(),
}
each_call = pytest.mark.parametrize("call", CALLS)


def card(**more: object) -> SimPciDevice:
    return SimPciDevice(address=ADDRESS, driver="e1000e", iommu_group=7, **more)  # type: ignore[arg-type]


async def driver_of(host: SimHost, address: PciAddress = ADDRESS) -> str | None:
    return await PciBus(host).driver(address)


async def refusal(call: Awaitable[object], kind: type[PyvirtError]) -> tuple[int, str]:
    with pytest.raises(kind) as caught:
        await call
    return int(caught.value.code), str(caught.value)


async def test_a_name_that_no_node_device_has(autojump_clock: Clock) -> None:
    async with open_world() as world:
        found = await refusal(world.hypervisor.node_device("pci_0000_99_00_0"), NotFoundError)
    assert found == (53, "no node device with matching name 'pci_0000_99_00_0'")


async def test_a_node_device_that_is_on_no_pci_bus(autojump_clock: Clock) -> None:
    async with open_world() as world:
        found = await refusal(world.hypervisor.node_device("computer"), DefinitionError)
    assert found == (8, "device computer is not a PCI device")


@each_call
async def test_a_device_that_has_vanished(call: str, autojump_clock: Clock) -> None:
    async with open_world() as world:
        world.host.add_pci_device(SimPciDevice(address=NEIGHBOUR, iommu_group=8))
        device = await world.hypervisor.node_device(NAME)
        await world.host.unplug_pci_device(world.host.pci.devices[str(ADDRESS)])
        path = "/sys/bus/pci/devices/0000:01:00.0/config"
        assert await refusal(CALLS[call](device), NotFoundError) == (
            38,
            f"Device 0000:01:00.0 not found: could not access {path}: No such file or directory",
        )


@each_call
async def test_a_device_that_cannot_be_identified(call: str, autojump_clock: Clock) -> None:
    async with open_world() as world:
        device = await world.hypervisor.node_device(NAME)
        world.host.pci.devices[str(ADDRESS)].hidden = frozenset({"vendor"})
        found = await refusal(CALLS[call](device), HostError)
    assert found == (1, "Failed to read product/vendor ID for 0000:01:00.0")


@pytest.mark.parametrize(
    ("driver", "expected"),
    [
        ("kvm", (74, "KVM device assignment is no longer supported on this system")),
        ("xen", (8, "unknown driver name 'xen'")),
    ],
)
async def test_a_driver_that_is_not_for_this(
    driver: str, expected: tuple[int, str], autojump_clock: Clock
) -> None:
    async with open_world() as world:
        device = await world.hypervisor.node_device(NAME)
        assert await refusal(device.detach(driver=driver), DefinitionError) == expected
        await device.detach(driver="vfio")
        assert await driver_of(world.host) == "vfio-pci"


async def test_a_host_without_an_iommu_is_told_before_the_device_is_looked_up(
    autojump_clock: Clock,
) -> None:
    async with open_sim_host() as host, open_hypervisor(URI, host=host) as hypervisor:
        device = NodeDevice(ADDRESS, PciBus(host), hypervisor.host_devices)
        assert await refusal(device.detach(), InvalidStateError) == (
            74,
            "VFIO device assignment is currently not supported on this system",
        )


@pytest.mark.parametrize(
    ("call", "kind", "expected"),
    [
        (
            "detach",
            DeviceInUseError,
            (55, f"PCI device {ADDRESS} is in use by driver QEMU, domain demo"),
        ),
        (
            "reattach",
            DeviceInUseError,
            (55, f"PCI device {ADDRESS} is in use by driver QEMU, domain demo"),
        ),
        ("reset", InvalidStateError, (1, f"Not resetting active device {ADDRESS}")),
    ],
)
async def test_a_device_that_a_domain_has(
    call: str, kind: type[PyvirtError], expected: tuple[int, str], autojump_clock: Clock
) -> None:
    async with open_world() as world:
        await world.boot()
        device = await world.hypervisor.node_device(NAME)
        await device.detach()
        await world.domain.attach_device(HOSTDEV_XML)
        assert await refusal(CALLS[call](device), kind) == expected
        assert world.hypervisor.host_devices.active == (ADDRESS,)


@pytest.mark.parametrize("call", ["detach", "reattach"])
async def test_a_device_that_a_domain_gets_while_the_call_waits(
    call: str, autojump_clock: Clock
) -> None:
    async with open_world() as world:
        await world.boot()
        device = await world.hypervisor.node_device(NAME)
        await device.detach()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.domain.attach_device, HOSTDEV_XML)
            for _ in range(4):  # until the domain's call has begun with the host's lists
                await trio.lowlevel.checkpoint()
            expected = (1, f"Not {call}ing active device {ADDRESS}")
            assert await refusal(CALLS[call](device), InvalidStateError) == expected


async def test_a_host_without_the_stub_driver(autojump_clock: Clock) -> None:
    async with open_world() as world:
        del world.host.pci.drivers["vfio-pci"]
        device = await world.hypervisor.node_device(NAME)
        code, text = await refusal(device.detach(), HostError)
        assert code == 1
        assert text.startswith("Failed to load PCI stub module vfio-pci")
        assert await driver_of(world.host) == "e1000e"
        assert world.hypervisor.host_devices.inactive == ()


async def test_detaching_twice_is_detaching_once(autojump_clock: Clock) -> None:
    async with open_world() as world:
        device = await world.hypervisor.node_device(NAME)
        await device.detach()
        await device.detach()
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


async def test_a_bridge_is_not_reset(autojump_clock: Clock) -> None:
    async with open_sim_host() as host, open_hypervisor(URI, host=host) as hypervisor:
        host.add_pci_device(SimPciDevice(address=BRIDGE, class_code=0x060400, iommu_group=1))
        device = await hypervisor.node_device(BRIDGE.node_device_name)
        assert await refusal(device.reset(), InvalidStateError) == (
            1,
            f"Invalid attempt to reset PCI device {BRIDGE}. Only PCI endpoint devices can be reset",
        )


async def test_a_bus_with_another_device_in_use_is_not_reset(autojump_clock: Clock) -> None:
    async with open_sim_host() as host, open_hypervisor(URI, host=host) as hypervisor:
        host.add_pci_device(card(reset_methods=("bus",)))
        host.add_pci_device(
            SimPciDevice(address=NEIGHBOUR, driver="e1000e", iommu_group=8, reset_methods=("bus",))
        )
        device = await hypervisor.node_device(NAME)
        assert await refusal(device.reset(), InvalidStateError) == (
            1,
            f"Active {NEIGHBOUR} devices on bus with {ADDRESS}, not doing bus reset",
        )


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
