"""The world of a proof: one machine, one running domain, one device in it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import attrs
import trio

from pyvirt_sim.host import HostPlan, SimHost, SimPciDevice, open_sim_host
from pyvirt_sim.prove.kinds import CARD, FUNCTION, MEDIATED, SERVED, Kind
from pyvirt_sim.qemu.process import QemuProcess
from pyvirt_sim.qemu.world import GuestTimes
from pyvirt_trio import DeviceAdded, Domain, Hypervisor, open_hypervisor
from pyvirt_trio.models import VfSettings

IMAGE = "/images/a"
KERNEL = "/boot/vmlinuz"
SETTLED_S = 1.0
"""Virtual seconds after which everything that nobody has to wait for has happened."""

AT_ONCE = HostPlan(guest_times=GuestTimes(boot_s=0, unplug_s=0, powerdown_s=0))
"""A guest that takes no time: whether it is early or late is then for the schedule to say."""

DOMAIN_XML = f"""
<domain type='qemu'>
  <name>demo</name>
  <uuid>5f6a7b80-1658-4198-9d3c-000000000001</uuid>
  <maxMemory slots='4' unit='GiB'>1</maxMemory>
  <memory unit='MiB'>256</memory>
  <cpu><numa><cell id='0' cpus='0' memory='256' unit='MiB' memAccess='shared'/></numa></cpu>
  <os><type arch='x86_64' machine='q35'>hvm</type><kernel>{KERNEL}</kernel></os>
  <devices>
    <controller type='pci' index='1' model='pcie-root-port'/>
    <controller type='pci' index='2' model='pcie-root-port'/>
    <controller type='pci' index='3' model='pcie-root-port'/>
    <controller type='pci' index='4' model='pcie-root-port'/>
    <controller type='pci' index='5' model='pcie-root-port'/>
    <controller type='usb' index='0' model='qemu-xhci'/>
    <controller type='scsi' index='0' model='virtio-scsi'/>
    <controller type='virtio-serial' index='0'/>
  </devices>
</domain>
"""


ROOM = "<vcpu current='1'>2</vcpu><cpu><numa><cell id='0' cpus='0-1'"
"""A place for the processor that comes and goes."""


@attrs.frozen(kw_only=True, eq=False)
class Stage:
    """What the actors of a story share.

    Args:
        host: The machine.
        hypervisor: The library on it.
        domain: Runs, its guest is up, and it has the device under `ALIAS`.
        kind: The device.
        without: What QEMU had before the device came.
        with_device: What it has with the device.
    """

    host: SimHost
    hypervisor: Hypervisor
    domain: Domain
    kind: Kind
    without: frozenset[str]
    with_device: frozenset[str]

    @property
    def is_defined(self) -> bool:
        """Whether the live definition has the device."""
        live = self.domain.view.live
        if live is None:
            return False
        found = live.plugged_vcpu if self.kind.is_vcpu else live.device
        return found(self.kind.alias) is not None

    @property
    def held(self) -> frozenset[str]:
        """What QEMU has now and had not before the device came; nothing once it has ended."""
        return resources(self.host) - self.without

    @property
    def is_active(self) -> bool:
        """Whether the host device manager counts it as a domain's; False for other devices."""
        manager = self.hypervisor.host_devices
        return self.kind.source in manager.active or self.kind.other in manager.active_others

    def is_back(self, sequence: int) -> bool:
        """Whether the device was attached again after the event of that number, or is about to."""
        journal = self.domain.journal
        later = (
            journal.record(number).event for number in range(sequence + 1, journal.sequence + 1)
        )
        job = self.domain.job.active
        is_coming = job is not None and job.name == "attach-device"
        return is_coming or any(isinstance(event, DeviceAdded) for event in later)


def qemu_of(host: SimHost) -> QemuProcess:
    """The QEMU that was started last."""
    return host.processes()[-1].qemu


def resources(host: SimHost) -> frozenset[str]:
    """Names of all that QEMU has: devices, objects, block nodes, character devices, networks."""
    process = host.processes()[-1]
    if process.has_ended:
        return frozenset()
    tree = process.qemu.machine.tree
    named = {
        "device": tree.devices,
        "object": [item.id for item in tree.objects.in_order()],
        "node": [node.name for node in tree.blocks.all()],
        "chardev": [item.id for item in tree.chardevs.in_order()],
        "netdev": tree.netdevs.names(),
    }
    return frozenset(f"{what} {name}" for what, names in named.items() for name in names)


async def _equip(host: SimHost, kind: Kind) -> None:
    """Put into the machine what the device needs."""
    host.device_servers[SERVED] = None
    if kind.source == FUNCTION:
        card = SimPciDevice(
            address=CARD,
            driver="igb",
            iommu_group=2,
            network_interface="eth0",
            total_vfs=1,
            vf_driver=kind.own_driver,
            vf_product_id=0x1520,
        )
        host.add_pci_device(card)
        await host.write_attribute(f"/sys/bus/pci/devices/{CARD}/sriov_numvfs", "1")
        await host.write_vf_settings("eth0", 0, VfSettings("02:00:00:00:00:01", 7))
    elif kind.source is not None:
        host.add_pci_device(
            SimPciDevice(address=kind.source, driver=kind.own_driver, iommu_group=7)
        )
    if kind.other is not None:
        # The parent of the mediated device: where a kernel has one, it has VFIO.
        host.add_pci_device(SimPciDevice(address=CARD, driver="i915", iommu_group=3))
        host.others.add_usb("1-2", bus=1, device=5, vendor_id=0x1234, product_id=0xBEEF)
        host.others.add_scsi("2:0:0:1", "sg1")
        host.others.add_scsi_targets()
        host.others.add_mediated(MEDIATED)


@asynccontextmanager
async def open_stage(kind: Kind, plan: HostPlan = AT_ONCE) -> AsyncGenerator[Stage]:
    """A machine with a domain that runs and has the device, for the length of a block."""
    async with open_sim_host(plan) as host:
        for path in (KERNEL, IMAGE):
            host.add_file(path)
        await _equip(host, kind)
        async with open_hypervisor("qemu:///embed?root=/sim/vms", host=host) as hypervisor:
            with_room = DOMAIN_XML.replace("<cpu><numa><cell id='0' cpus='0'", ROOM)
            domain = await hypervisor.define(with_room if kind.is_vcpu else DOMAIN_XML)
            if kind.source is not None and not kind.is_managed:
                node_device = await hypervisor.node_device(kind.source.node_device_name)
                await node_device.detach()
            await domain.start()
            await trio.sleep(SETTLED_S)
            without = resources(host)
            if kind.is_vcpu:
                await domain.set_vcpus(2)
            else:
                await domain.attach_device(kind.device_xml)
            await trio.sleep(SETTLED_S)
            yield Stage(
                host=host,
                hypervisor=hypervisor,
                domain=domain,
                kind=kind,
                without=without,
                with_device=resources(host),
            )
            if domain.view.live is not None:
                await domain.destroy()
