"""Giving host devices to a domain: the steps in order, and nothing left when one of them fails."""

from __future__ import annotations

import errno
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.testing

from pyvirt_sim.host import SimHost, SimPciDevice, open_sim_host
from pyvirt_trio.driver.hostdevs import HostDeviceManager, Owner
from pyvirt_trio.errors import (
    DefinitionError,
    DeviceInUseError,
    HostError,
    InvalidStateError,
    PyvirtError,
)
from pyvirt_trio.host.pci import PciBus
from pyvirt_trio.models import Device, HostDevice, HostInterface, PciAddress, VfSettings
from tests.simulated.driver.world import Clock

NOTES = "/vms/run/hostdevs.json"
CARD = PciAddress.parse("0000:02:00.0")
FUNCTION = PciAddress.parse("0000:02:00.1")
SECOND = PciAddress.parse("0000:02:00.2")
MANAGED = PciAddress.parse("0000:01:00.0")
UNMANAGED = PciAddress.parse("0000:03:00.0")
BRIDGE = PciAddress.parse("0000:00:1c.0")
MAC = "52:54:00:00:00:07"
BEFORE = VfSettings("02:00:00:00:00:01", 7)
DOMAIN = Owner("demo", 1)
OTHER = Owner("other", 1)

DEVICES: list[Device] = [
    HostDevice(source=MANAGED, is_managed=True),
    HostDevice(source=UNMANAGED),
    HostInterface(source=FUNCTION, is_managed=True, mac=MAC, vlan=42),
    HostInterface(source=SECOND, is_managed=True, mac=MAC),
]


@attrs.define
class Machine:
    """A host with a card, a virtual function, and a device that was detached by hand."""

    host: SimHost
    manager: HostDeviceManager

    async def drivers(self) -> dict[str, str | None]:
        bus = PciBus(self.host)
        return {str(one): await bus.driver(one) for one in (MANAGED, UNMANAGED, FUNCTION, SECOND)}

    async def state(self) -> object:
        """All that a call may change: drivers, lists, notes and the card's settings."""
        overrides = [str(device.override) for device in self.host.pci.devices.values()]
        return (
            await self.drivers(),
            overrides,
            self.manager.active,
            self.manager.inactive,
            await self.host.read_text(NOTES),
            await self.host.read_vf_settings("eth0", 0),
            await self.host.read_vf_settings("eth0", 1),
        )


@asynccontextmanager
async def machine() -> AsyncGenerator[Machine]:
    async with open_sim_host() as host:
        host.add_pci_device(SimPciDevice(address=MANAGED, driver="e1000e", iommu_group=1))
        host.add_pci_device(SimPciDevice(address=UNMANAGED, driver="nvme", iommu_group=3))
        host.add_pci_device(
            SimPciDevice(
                address=CARD,
                driver="igb",
                iommu_group=2,
                network_interface="eth0",
                total_vfs=2,
                vf_driver="igbvf",
                vf_product_id=0x1520,
            )
        )
        await host.write_attribute(f"/sys/bus/pci/devices/{CARD}/sriov_numvfs", "2")
        await host.write_vf_settings("eth0", 0, BEFORE)
        await host.make_directory("/vms/run")
        manager = HostDeviceManager(host, NOTES)
        await manager.detach(UNMANAGED)
        yield Machine(host, manager)


CHANGES = ("write_attribute", "replace_file", "write_vf_settings")
"""The host's methods by which a manager changes something."""


class Trouble:
    """Makes the n-th change of the host fail, or cancels the caller there."""

    def __init__(self, host: SimHost, at: int, scope: trio.CancelScope | None) -> None:
        self.calls = 0
        self._at = at
        self._scope = scope
        for name in CHANGES:
            setattr(host, name, self._wrap(getattr(host, name)))

    def _wrap(self, original):
        async def call(*args: object) -> None:
            self.calls += 1
            if self.calls == self._at:
                if self._scope is None:
                    raise OSError(errno.EIO, "it fails here", "/")
                self._scope.cancel()
            await original(*args)

        return call


async def test_everything_goes_to_the_domain_and_comes_back(autojump_clock: Clock) -> None:
    async with machine() as world:
        before = await world.state()
        await world.manager.prepare(DOMAIN, DEVICES)
        assert world.manager.active == (MANAGED, FUNCTION, SECOND, UNMANAGED)
        assert set((await world.drivers()).values()) == {"vfio-pci"}
        assert await world.host.read_vf_settings("eth0", 0) == VfSettings(MAC, 42)
        await world.manager.release(DOMAIN)
        assert await world.state() == before


async def changes_of_a_prepare() -> int:
    async with machine() as world:
        trouble = Trouble(world.host, 0, None)
        await world.manager.prepare(DOMAIN, DEVICES)
        return trouble.calls


@pytest.mark.parametrize("is_cancelled", [False, True], ids=["fails", "is cancelled"])
async def test_whichever_step_stops_nothing_has_changed(
    is_cancelled: bool, autojump_clock: Clock
) -> None:
    count = await changes_of_a_prepare()
    assert count > 8, "saves settings, takes two devices, sets settings"
    for at in range(1, count + 1):
        async with machine() as world:
            before = await world.state()
            scope = trio.CancelScope()
            trouble = Trouble(world.host, at, scope if is_cancelled else None)
            with scope:
                if is_cancelled:
                    await world.manager.prepare(DOMAIN, DEVICES)
                    await trio.lowlevel.checkpoint_if_cancelled()
                else:
                    with pytest.raises(HostError, match="it fails here"):
                        await world.manager.prepare(DOMAIN, DEVICES)
            assert trouble.calls >= at
            assert scope.cancelled_caught == is_cancelled
            if scope.cancelled_caught:
                # The caller stopped waiting: all of it or nothing, and never half.
                await world.manager.release(DOMAIN)
            assert await world.state() == before, f"change {at} left something behind"


async def test_a_device_of_another_domain_is_not_taken_and_the_others_stay(
    autojump_clock: Clock,
) -> None:
    async with machine() as world:
        await world.manager.prepare(OTHER, [DEVICES[0]])
        before = await world.state()
        for _ in range(2):  # the answer is stable: nobody forgets the owner
            with pytest.raises(DeviceInUseError, match="in use by driver QEMU, domain other"):
                await world.manager.prepare(DOMAIN, reversed(DEVICES))
            assert await world.state() == before
        assert world.manager.owner(MANAGED) == OTHER
        await world.manager.release(DOMAIN)
        assert world.manager.owner(MANAGED) == OTHER


async def test_members_of_a_group_go_to_one_domain(autojump_clock: Clock) -> None:
    async with machine() as world:
        twin = PciAddress.parse("0000:01:00.1")
        world.host.add_pci_device(SimPciDevice(address=twin, driver="e1000e", iommu_group=1))
        await world.manager.prepare(OTHER, [DEVICES[0]])
        with pytest.raises(DeviceInUseError) as caught:
            await world.manager.prepare(DOMAIN, [HostDevice(source=twin, is_managed=True)])
        assert (55, f"PCI device {MANAGED} is in use by driver QEMU, domain other") == (
            caught.value.code,
            str(caught.value),
        )
        await world.manager.prepare(OTHER, [HostDevice(source=twin, is_managed=True)])


REFUSED = [
    (
        HostDevice(source=BRIDGE, is_managed=True),
        (InvalidStateError, 1, "Non-endpoint PCI devices cannot be assigned to guests"),
    ),
    (
        HostDevice(source=MANAGED),
        (
            InvalidStateError,
            55,
            f"Unmanaged PCI device {MANAGED} must be manually detached from the host",
        ),
    ),
    (
        HostDevice(source=PciAddress.parse("0000:04:00.0"), is_managed=True),
        (InvalidStateError, 55, "PCI device 0000:04:00.0 is not assignable"),
    ),
    (
        HostInterface(source=MANAGED, is_managed=True, mac=MAC),
        (
            DefinitionError,
            67,
            "Interface type hostdev is currently supported on SR-IOV Virtual Functions only",
        ),
    ),
]


@pytest.mark.parametrize(("device", "expected"), REFUSED)
async def test_what_cannot_be_assigned_is_refused_in_libvirts_words(
    device: Device, expected: tuple[type[PyvirtError], int, str], autojump_clock: Clock
) -> None:
    async with machine() as world:
        world.host.add_pci_device(SimPciDevice(address=BRIDGE, class_code=0x060400, iommu_group=9))
        world.host.add_pci_device(SimPciDevice(address=PciAddress.parse("0000:04:00.0")))
        before = await world.state()
        with pytest.raises(PyvirtError) as caught:
            await world.manager.prepare(DOMAIN, [device])
        assert expected == (type(caught.value), caught.value.code, str(caught.value))
        assert await world.state() == before


@pytest.mark.parametrize(
    ("driver", "words"),
    [
        (None, "passthrough of host PCI devices"),
        ("vfio", "VFIO PCI passthrough"),
        ("kvm", "legacy PCI passthrough"),
    ],
)
async def test_a_host_without_vfio_says_what_it_cannot(
    driver: str | None, words: str, autojump_clock: Clock
) -> None:
    async with open_sim_host() as host:
        manager = HostDeviceManager(host, NOTES)
        with pytest.raises(DefinitionError) as caught:
            await manager.prepare(DOMAIN, [HostDevice(source=MANAGED, driver=driver)])
        assert (67, f"host doesn't support {words}") == (caught.value.code, str(caught.value))


async def test_an_unmanaged_device_on_a_stub_driver_is_known_again(autojump_clock: Clock) -> None:
    """After a restart that lost the notes, what is on vfio-pci was put there for this."""
    async with machine() as world:
        manager = HostDeviceManager(world.host, "/vms/run/other.json")
        await manager.prepare(DOMAIN, [HostDevice(source=UNMANAGED)])
        assert manager.active == (UNMANAGED,)
        await manager.release(DOMAIN)
        assert manager.inactive == (UNMANAGED,)


async def test_a_device_that_was_moved_behind_our_back_is_not_given_to_a_domain(
    autojump_clock: Clock,
) -> None:
    async with machine() as world:
        await PciBus(world.host).return_to_host_driver(UNMANAGED)
        with pytest.raises(InvalidStateError, match="must be manually detached"):
            await world.manager.prepare(DOMAIN, [HostDevice(source=UNMANAGED)])
        assert world.manager.inactive == ()


async def test_a_managed_device_that_was_detached_by_hand_is_inactive_again_after_a_failure(
    autojump_clock: Clock,
) -> None:
    async with machine() as world:
        before = await world.state()
        devices = [HostDevice(source=UNMANAGED, is_managed=True), HostDevice(source=MANAGED)]
        with pytest.raises(InvalidStateError, match="must be manually detached"):
            await world.manager.prepare(DOMAIN, devices)
        assert await world.state() == before


async def test_devices_that_left_the_machine_are_in_no_list(autojump_clock: Clock) -> None:
    """libvirt's bug 18 of the zoo: the next device at that address was "in use" for ever."""
    async with machine() as world:
        await world.manager.prepare(DOMAIN, DEVICES)
        await world.host.write_attribute(f"/sys/bus/pci/devices/{CARD}/sriov_numvfs", "0")
        await world.host.unplug_pci_device(world.host.pci.devices[str(UNMANAGED)])
        await world.manager.release(DOMAIN)
        assert (world.manager.active, world.manager.inactive) == ((), ())
        await world.host.write_attribute(f"/sys/bus/pci/devices/{CARD}/sriov_numvfs", "2")
        await world.manager.prepare(OTHER, [DEVICES[2]])


async def test_a_device_that_came_in_the_place_of_one_that_was_taken_is_the_hosts(
    autojump_clock: Clock,
) -> None:
    """It was taken for the one that had left: a failure left it with vfio-pci, and listed."""
    async with machine() as world:
        await world.host.unplug_pci_device(world.host.pci.devices[str(UNMANAGED)])
        other = SimPciDevice(address=UNMANAGED, driver="e1000e", iommu_group=3)
        await world.host.plug_pci_device(other)
        devices = [HostDevice(source=UNMANAGED, is_managed=True), HostDevice(source=MANAGED)]
        with pytest.raises(InvalidStateError, match="must be manually detached"):
            await world.manager.prepare(DOMAIN, devices)
        assert (await world.drivers())[str(UNMANAGED)] == "e1000e"
        assert world.manager.inactive == ()
        assert json.loads(await world.host.read_text(NOTES))["taken"] == {}


async def test_a_device_that_cannot_be_given_back_stays_inactive_and_the_rest_goes(
    autojump_clock: Clock,
) -> None:
    async with machine() as world:
        await world.manager.prepare(DOMAIN, DEVICES)
        original = world.host.write_attribute

        async def write_attribute(path: str, text: str) -> None:
            if path.startswith(f"/sys/bus/pci/devices/{MANAGED}/driver_override"):
                raise OSError(errno.EIO, "it fails here", path)
            await original(path, text)

        world.host.write_attribute = write_attribute  # type: ignore[method-assign]
        with pytest.raises(HostError, match="it fails here"):
            await world.manager.release(DOMAIN)
        assert world.manager.active == ()
        assert world.manager.inactive == (MANAGED, UNMANAGED)
        assert (await world.drivers())[str(FUNCTION)] == "igbvf"


async def test_settings_of_a_function_survive_a_restart_in_the_middle(
    autojump_clock: Clock,
) -> None:
    """The second manager never saw the settings from before, and restores them all the same."""
    async with machine() as world:
        await world.manager.prepare(DOMAIN, DEVICES)
        later = HostDeviceManager(world.host, NOTES)
        later.adopt(DOMAIN, DEVICES)
        await later.load()
        assert later.active == world.manager.active
        assert list(later.inactive) == []
        await later.release(DOMAIN)
        assert await world.host.read_vf_settings("eth0", 0) == BEFORE
        assert later.inactive == (UNMANAGED,)


class Death:
    """Lets the host's n-th change be the last that this process makes: nothing after it works."""

    def __init__(self, host: SimHost, at: int) -> None:
        self.calls = 0
        self._at = at
        self._originals = {name: getattr(host, name) for name in CHANGES}
        self._host = host
        for name, original in self._originals.items():
            setattr(host, name, self._wrap(original))

    def _wrap(self, original):
        async def call(*args: object) -> None:
            self.calls += 1
            if self.calls > self._at:
                raise OSError(errno.ESHUTDOWN, "this process is dead", "/")
            await original(*args)

        return call

    def next_process(self) -> None:
        for name, original in self._originals.items():
            setattr(self._host, name, original)


async def test_wherever_the_process_ends_the_next_one_can_give_everything_back(
    autojump_clock: Clock,
) -> None:
    count = await changes_of_a_prepare()
    for at in range(count + 1):
        async with machine() as world:
            await world.manager.reattach(UNMANAGED)
            before = await world.state()
            await world.manager.detach(UNMANAGED)
            death = Death(world.host, at)
            try:
                await world.manager.prepare(DOMAIN, DEVICES)
            except HostError:
                pass  # it dies without having undone anything
            death.next_process()
            world.manager = HostDeviceManager(world.host, NOTES)
            await world.manager.load()
            drivers = await world.drivers()
            on_stub = sorted(one for one, driver in drivers.items() if driver == "vfio-pci")
            assert [str(one) for one in world.manager.inactive] == on_stub, at
            for address in (MANAGED, UNMANAGED, FUNCTION, SECOND):
                await world.manager.reattach(address)
            assert await world.state() == before, f"after change {at}"


async def test_wherever_a_release_ends_the_next_process_completes_it(
    autojump_clock: Clock,
) -> None:
    at = 0
    while True:
        async with machine() as world:
            before = await world.state()
            await world.manager.prepare(DOMAIN, DEVICES)
            death = Death(world.host, at)
            try:
                await world.manager.release(DOMAIN)
            except HostError:
                pass
            death.next_process()
            world.manager = HostDeviceManager(world.host, NOTES)
            world.manager.adopt(DOMAIN, DEVICES)
            await world.manager.load()
            await world.manager.release(DOMAIN)
            assert await world.state() == before, f"after change {at}"
            if death.calls <= at:
                break
        at += 1
    assert at > 8
