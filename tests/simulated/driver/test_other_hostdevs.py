"""USB, SCSI and mediated devices of the host, and virtual functions: in, out, and busy.

Simulated throughout: no machine of the tests has such devices to give away.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.testing

from pyvirt_sim.host import SimPciDevice, open_sim_host
from pyvirt_sim.scenarios.hot_unplug import DOMAIN_XML
from pyvirt_trio import (
    CommandFailedError,
    DeviceAdded,
    DeviceInUseError,
    DeviceRemoved,
    Domain,
    HostError,
    Impact,
    NotFoundError,
    PciAddress,
    PyvirtError,
)
from pyvirt_trio.driver.hostdevs import HostDeviceManager, Owner
from pyvirt_trio.host.pci import PciBus
from pyvirt_trio.models import HostInterface, HostScsi, HostUsb, VfSettings
from tests.simulated.driver.world import Clock, World, open_world

SCSI_FOLDER = "/sys/bus/scsi/devices/2:0:0:1/scsi_generic"
UUID = "c2177883-f1bb-47f0-914d-32a22e3a8804"
CARD = PciAddress.parse("0000:02:00.0")
FUNCTION = PciAddress.parse("0000:02:00.1")
BEFORE = VfSettings("02:00:00:00:00:01", 7)

USB = """
<hostdev mode='subsystem' type='usb'>
  <source><vendor id='0x1234'/><product id='0xbeef'/></source>
</hostdev>"""
SCSI = """
<hostdev mode='subsystem' type='scsi'>
  <source><adapter name='scsi_host2'/><address bus='0' target='0' unit='1'/></source>
</hostdev>"""
SHARED = SCSI.replace("</hostdev>", "<shareable/></hostdev>")
TARGET = """
<hostdev mode='subsystem' type='scsi_host'>
  <source protocol='vhost' wwpn='naa.50014057667280d8'/>
</hostdev>"""
MEDIATED = f"""
<hostdev mode='subsystem' type='mdev' model='vfio-pci'>
  <source><address uuid='{UUID}'/></source>
</hostdev>"""
INTERFACE = f"""
<interface type='hostdev' managed='yes'>
  <mac address='52:54:00:00:00:07'/>
  <source><address type='pci' domain='0' bus='2' slot='0' function='{FUNCTION.function}'/></source>
  <vlan><tag id='42'/></vlan>
</interface>"""

CONTROLLERS = (
    "<controller type='usb' index='0' model='qemu-xhci'/>"
    "<controller type='scsi' index='0' model='virtio-scsi'/>"
    "<controller type='pci' index='2' model='pcie-root-port'/>"
    "<controller type='pci' index='3' model='pcie-root-port'/>"
)


@attrs.frozen
class Kind:
    """A kind of host device: how it is asked for, what it is called, and who it is said to be."""

    xml: str
    name: str
    busy: str
    missing: tuple[int, str]


KINDS = {
    "usb": Kind(
        USB,
        "001:005",
        "USB device 001:005 is in use by driver QEMU, domain demo",
        (38, "cannot open directory '/sys/bus/usb/devices': No such file or directory"),
    ),
    "scsi": Kind(
        SCSI,
        "2:0:0:1",
        "SCSI device 2:0:0:1 is already in use by other domain(s) as 'non-shareable'",
        (38, f"cannot open directory '{SCSI_FOLDER}': No such file or directory"),
    ),
    "scsi_host": Kind(
        TARGET,
        "naa.50014057667280d8",
        "SCSI_host device naa.50014057667280d8 is already in use by another domain",
        (38, "Vhost device file '/dev/vhost-scsi' cannot be found"),
    ),
    "mdev": Kind(
        MEDIATED,
        f"/sys/bus/mdev/devices/{UUID}",
        f"mediated device /sys/bus/mdev/devices/{UUID} is in use by driver QEMU, domain demo",
        (99, f"mediated device '{UUID}' not found"),
    ),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


@asynccontextmanager
async def equipped(*, has_devices: bool = True) -> AsyncGenerator[tuple[World, Domain, Domain]]:
    """Two domains that run on a machine with a device of each kind."""
    async with open_world() as world:
        host = world.host
        host.add_pci_device(
            SimPciDevice(
                address=CARD,
                driver="igb",
                iommu_group=2,
                network_interface="eth0",
                total_vfs=1,
                vf_driver="igbvf",
                vf_product_id=0x1520,
            )
        )
        await host.write_attribute(f"/sys/bus/pci/devices/{CARD}/sriov_numvfs", "1")
        await host.write_vf_settings("eth0", 0, BEFORE)
        if has_devices:
            host.others.add_usb("1-2", bus=1, device=5, vendor_id=0x1234, product_id=0xBEEF)
            host.others.add_scsi("2:0:0:1", "sg1")
            host.others.add_scsi_targets()
            host.others.add_mediated(UUID)
        domains: list[Domain] = []
        for number, name in enumerate(("demo", "other"), start=7):
            xml = DOMAIN_XML.replace("<name>demo<", f"<name>{name}<")
            xml = xml.replace("000000000001<", f"00000000000{number}<")
            xml = xml.replace("demo.console", f"{name}.console")
            xml = xml.replace("<serial", f"{CONTROLLERS}<serial", 1)
            if name == "demo":
                await world.domain.undefine()
            domains.append(await world.hypervisor.define(xml))
            await domains[-1].start()
        await trio.sleep(2)  # both guests handle hotplug by then
        world.announced()
        yield world, domains[0], domains[1]


def active(world: World) -> list[str]:
    return list(world.hypervisor.host_devices.active_others)


async def refusal(call: object, kind: type[PyvirtError]) -> tuple[int, str]:
    with pytest.raises(kind) as caught:
        await call  # type: ignore[misc]
    return int(caught.value.code), str(caught.value)


@each_kind
async def test_it_comes_and_goes_and_is_free_when_its_removal_is_announced(
    kind: str, autojump_clock: Clock
) -> None:
    one = KINDS[kind]
    async with equipped() as (world, domain, other):
        before = domain.definition
        device = await domain.attach_device(one.xml)
        assert device.alias == "hostdev0"
        assert active(world) == [one.name]
        assert [type(event) for event in world.announced()] == [DeviceAdded]
        await domain.detach_device(one.xml)
        assert [type(event) for event in world.announced()] == [DeviceRemoved]
        assert active(world) == []
        assert domain.definition == before
        await other.attach_device(one.xml)
        assert active(world) == [one.name]


@each_kind
async def test_a_device_that_a_domain_has_is_busy_for_others(
    kind: str, autojump_clock: Clock
) -> None:
    one = KINDS[kind]
    async with equipped() as (world, domain, other):
        await domain.attach_device(one.xml)
        before = other.view
        assert await refusal(other.attach_device(one.xml), DeviceInUseError) == (55, one.busy)
        assert other.view == before
        assert active(world) == [one.name]
        await domain.destroy()
        assert active(world) == []
        await other.attach_device(one.xml)


@each_kind
async def test_a_device_that_the_host_does_not_have(kind: str, autojump_clock: Clock) -> None:
    one = KINDS[kind]
    async with equipped(has_devices=False) as (world, domain, _):
        before = domain.view
        assert await refusal(domain.attach_device(one.xml), NotFoundError) == one.missing
        assert domain.view == before
        assert active(world) == []


@each_kind
async def test_a_device_that_qemu_refuses_is_free_again(kind: str, autojump_clock: Clock) -> None:
    nodes = {
        "usb": "/dev/bus/usb/001/005",
        "scsi": "/dev/sg1",
        "scsi_host": "/dev/vhost-scsi",
        "mdev": f"/sys/bus/mdev/devices/{UUID}",
    }
    async with equipped() as (world, domain, _):
        original = world.host.others.open

        def refuse(path: str) -> object:
            world.host.others.remove(nodes[kind])
            return original(path)

        world.host.others.open = refuse  # type: ignore[method-assign, assignment]
        before = domain.view
        with pytest.raises(CommandFailedError, match="No such file or directory"):
            await domain.attach_device(KINDS[kind].xml)
        assert domain.view == before
        assert active(world) == []


@each_kind
async def test_it_is_there_from_the_start_and_free_after_the_end(
    kind: str, autojump_clock: Clock
) -> None:
    async with equipped() as (world, domain, _):
        await domain.destroy()
        await domain.attach_device(KINDS[kind].xml, Impact.CONFIG)
        await domain.start()
        assert active(world) == [KINDS[kind].name]
        assert "hostdev0" in domain.xml()
        await domain.destroy()
        assert active(world) == []


async def test_a_usb_device_is_described_with_the_place_where_it_was_found(
    autojump_clock: Clock,
) -> None:
    async with equipped() as (_, domain, _other):
        device = await domain.attach_device(USB)
        assert isinstance(device, HostUsb)
        assert (device.bus, device.device) == (1, 5)
        assert "<address bus='1' device='5'/>" in domain.xml()
        elsewhere = USB.replace("</source>", "<address bus='1' device='6'/></source>")
        with pytest.raises(NotFoundError):
            await domain.detach_device(elsewhere)
        await domain.detach_device(USB)


async def test_two_usb_devices_of_a_kind_are_told_apart_by_their_place(
    autojump_clock: Clock,
) -> None:
    async with equipped() as (world, domain, _):
        world.host.others.add_usb("1-3", bus=1, device=6, vendor_id=0x1234, product_id=0xBEEF)
        assert await refusal(domain.attach_device(USB), NotFoundError) == (
            9,
            "Multiple USB devices for 1234:beef, use <address> to specify one",
        )
        for number in (6, 5):
            place = f"<address bus='1' device='{number}'/></source>"
            await domain.attach_device(USB.replace("</source>", place))
        assert active(world) == ["001:005", "001:006"]


async def test_a_scsi_device_is_shared_by_domains_that_both_say_so(autojump_clock: Clock) -> None:
    async with equipped() as (world, domain, other):
        await domain.attach_device(SHARED)
        assert await refusal(other.attach_device(SCSI), DeviceInUseError) == (
            55,
            "SCSI device 2:0:0:1 is already in use by other domain(s) as 'shareable'",
        )
        await other.attach_device(SHARED)
        await domain.detach_device("hostdev0")
        assert active(world) == ["2:0:0:1"]
        await other.detach_device("hostdev0")
        assert active(world) == []


async def test_a_mediated_device_of_another_kind_of_machine(autojump_clock: Clock) -> None:
    async with equipped(has_devices=False) as (world, domain, _):
        world.host.others.add_mediated(UUID, interface="vfio-ccw")
        assert await refusal(domain.attach_device(MEDIATED), HostError) == (
            67,
            f"invalid device API 'vfio-ccw' for device {UUID}: expected 'vfio-pci'",
        )


async def test_a_virtual_function_has_its_settings_in_the_guest_and_its_old_ones_afterwards(
    autojump_clock: Clock,
) -> None:
    async with equipped() as (world, domain, _):
        bus = PciBus(world.host)
        device = await domain.attach_device(INTERFACE)
        assert isinstance(device, HostInterface)
        assert device.alias == "hostdev0"
        assert await world.host.read_vf_settings("eth0", 0) == VfSettings("52:54:00:00:00:07", 42)
        assert await bus.driver(FUNCTION) == "vfio-pci"
        assert world.hypervisor.host_devices.active == (FUNCTION,)
        await domain.detach_device(INTERFACE)
        assert await world.host.read_vf_settings("eth0", 0) == BEFORE
        assert await bus.driver(FUNCTION) == "igbvf"
        assert list(world.hypervisor.host_devices.active) == []
        assert list(world.hypervisor.host_devices.inactive) == []


async def test_a_virtual_function_without_an_address_gets_one_of_qemus(
    autojump_clock: Clock,
) -> None:
    async with equipped() as (world, domain, _):
        xml = INTERFACE.replace("<mac address='52:54:00:00:00:07'/>", "")
        device = await domain.attach_device(xml)
        assert isinstance(device, HostInterface)
        assert device.mac is not None
        assert device.mac.startswith("52:54:00:")
        assert (await world.host.read_vf_settings("eth0", 0)).mac == device.mac


async def test_after_a_restart_devices_are_whose_they_were_and_nothing_is_guessed(
    autojump_clock: Clock,
) -> None:
    async with open_sim_host() as host:
        manager = HostDeviceManager(host, "/hostdevs.json")
        one, two = Owner("one", 1), Owner("two", 1)
        disk, tablet = HostScsi(adapter=2, unit=1), HostUsb(bus=1, device=5)
        manager.adopt(one, [disk, HostUsb(vendor_id=1, product_id=2)])
        manager.adopt(two, [disk, tablet])
        assert list(manager.active_others) == ["001:005", "2:0:0:1"]
        await manager.release(two, [disk])
        assert list(manager.active_others) == ["001:005", "2:0:0:1"], "it is not theirs"
        await manager.release(two, [tablet])
        await manager.release(one)
        assert list(manager.active_others) == []
