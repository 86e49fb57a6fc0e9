"""The founding story with a guest that runs; run inside a nested machine, never on this one.

``python -m tests.conformance.scenarios.nested_story KERNEL INITRD READY_LINE CMDLINE`` boots a
Linux in an emulator in the nested machine, passes it the network card in the slot 0000:01:00.0,
takes it away again, and gives it back to its driver the moment `DeviceRemoved` is received: first
unmanaged, then managed. Then a USB device, a SCSI device and a target of the kernel go in and out.
What was seen is left in ``told.json``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable
from typing import Any

import attrs
import trio

from pyvirt_sim.checkers.removed_means_gone import check_removed_means_gone
from pyvirt_sim.conformance.real.inside import require_nested
from pyvirt_sim.scenarios.hot_unplug import ADDRESS, HOSTDEV_XML, console_says
from pyvirt_trio import (
    DeviceRemoved,
    Domain,
    Hypervisor,
    PciAddress,
    PyvirtError,
    Subscription,
    open_hypervisor,
)
from pyvirt_trio.host.pci import PciBus
from pyvirt_trio.host.real import RealHost

ROOT = "/run/vms"
BRIDGE = PciAddress.parse("0000:00:04.0")
TARGET = "naa.50014057667280d8"
CONSOLE = "/run/result/inner.console"
MANAGED_XML = HOSTDEV_XML.replace("managed='no'", "managed='yes'")
DOMAIN_XML = """
<domain type='qemu'>
  <name>demo</name>
  <memory unit='MiB'>192</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{kernel}</kernel><initrd>{initrd}</initrd><cmdline>{cmdline}</cmdline>
  </os>
  <devices>
    <controller type='pci' index='1' model='pcie-root-port'/>
    <controller type='pci' index='2' model='pcie-root-port'/>
    <controller type='pci' index='3' model='pcie-root-port'/>
    <controller type='usb' index='0' model='qemu-xhci'/>
    <controller type='scsi' index='0' model='virtio-scsi'/>
    <serial type='file'><source path='{console}'/></serial>
  </devices>
</domain>"""

OTHERS = {
    "usb": """
        <hostdev mode='subsystem' type='usb'>
          <source><vendor id='0x0627'/><product id='0x0001'/></source>
        </hostdev>""",
    "scsi": """
        <hostdev mode='subsystem' type='scsi'>
          <source>
            <adapter name='scsi_host{adapter}'/><address bus='0' target='0' unit='0'/>
          </source>
        </hostdev>""",
    "scsi_host": f"""
        <hostdev mode='subsystem' type='scsi_host'>
          <source protocol='vhost' wwpn='{TARGET}'/>
        </hostdev>""",
}
"""A tablet of the outer machine (QEMU's number for it), its disk, and a target of its kernel."""


@attrs.frozen
class Story:
    """The machine, and what is told of it."""

    hypervisor: Hypervisor
    domain: Domain
    bus: PciBus
    told: dict[str, Any]

    async def look_around(self) -> None:
        """What is refused, and what is left alone, on a real sysfs."""
        told = self.told["refused"] = dict[str, Any]()
        card = await self.hypervisor.node_device(ADDRESS.node_device_name)
        bridge = await self.hypervisor.node_device(BRIDGE.node_device_name)
        await card.reattach()
        await card.reset()
        told["driver"] = await self.bus.driver(ADDRESS)
        told["bridge"] = await refusal(bridge.reset())
        told["stub"] = await refusal(card.detach(driver="pciback"))
        told["unmanaged"] = await refusal(self.domain.attach_device(HOSTDEV_XML))
        await self.bus.bind_vfio(ADDRESS)  # somebody else does it
        told["stranger"] = await refusal(card.reattach())
        await card.reset()
        await card.reattach(force=True)
        told["forced"] = await self.bus.driver(ADDRESS)

    async def trip(self, name: str, xml: str) -> None:
        """The card goes into the guest and comes out of it; a client acts on the event."""
        told: dict[str, Any] = {"before": await self.bus.driver(ADDRESS)}
        self.told[name] = told
        node_device = await self.hypervisor.node_device(ADDRESS.node_device_name)
        if name == "unmanaged":
            await node_device.detach()
        _, events = self.hypervisor.subscribe()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._client, events, told)
            device = await self.domain.attach_device(xml)
            assert device.alias is not None, "an attached device has an alias"
            told["in the guest"] = await self.bus.driver(ADDRESS)
            told["active"] = [str(one) for one in self.hypervisor.host_devices.active]
            began_s = trio.current_time()
            await self.domain.detach_device(device.alias)
            self.told["seconds"][name] = round(trio.current_time() - began_s, 2)

    async def other_trip(self, name: str, xml: str) -> None:
        """A device of another kind goes in and out, and is free when that is announced."""
        manager = self.hypervisor.host_devices
        _, events = self.hypervisor.subscribe()
        device = await self.domain.attach_device(xml)
        assert device.alias is not None, "an attached device has an alias"
        told = self.told[name] = {"in the guest": list(manager.active_others)}
        await self.domain.request_detach(device.alias)
        async for record in events:
            if isinstance(record.event, DeviceRemoved):
                told["after"] = list(manager.active_others)
                break

    async def _client(self, events: Subscription, told: dict[str, Any]) -> None:
        async for record in events:
            if isinstance(record.event, DeviceRemoved):
                check_removed_means_gone(self.hypervisor, record.event, ADDRESS, "client")
                node_device = await self.hypervisor.node_device(ADDRESS.node_device_name)
                await node_device.reattach()  # at once: the call that failed in libvirt
                told["after"] = await self.bus.driver(ADDRESS)
                break


async def refusal(call: Awaitable[object]) -> tuple[int, str]:
    """What a call is refused with."""
    try:
        await call
    except PyvirtError as error:
        return int(error.code), str(error)
    raise AssertionError("it was not refused")


async def make_target() -> int:
    """Have the kernel serve a target with a disk of memory.

    Returns:
        The number of the adapter that has the outer machine's disk.
    """
    core, fabric = (f"/sys/kernel/config/target/{one}" for one in ("core", "vhost"))
    await trio.run_process(["mount", "-t", "configfs", "none", "/sys/kernel/config"])
    disk, group = trio.Path(f"{core}/rd_mcp_0/ram"), trio.Path(f"{fabric}/{TARGET}/tpgt_1")
    await disk.mkdir(parents=True)
    await (disk / "control").write_text("rd_pages=64")
    await (disk / "enable").write_text("1")
    unit = group / "lun/lun_0"
    await unit.mkdir(parents=True)
    await (unit / "disk").symlink_to(disk)
    await (group / "nexus").write_text(TARGET)
    places = [path.name for path in await trio.Path("/sys/bus/scsi/devices").iterdir()]
    return next(int(name.split(":")[0]) for name in places if name.endswith(":0:0:0"))


async def tell(kernel: str, initrd: str, ready_line: str, cmdline: str) -> None:
    """Play the story in both modes on one booted guest."""
    host = RealHost()
    told: dict[str, Any] = {"seconds": {}}
    xml = DOMAIN_XML.format(kernel=kernel, initrd=initrd, cmdline=cmdline, console=CONSOLE)
    await trio.Path(CONSOLE).write_text("")
    try:
        async with open_hypervisor(
            f"qemu:///embed?root={ROOT}", host=host, destroy_on_exit=True
        ) as hypervisor:
            domain = await hypervisor.define(xml)
            began_s = trio.current_time()
            await domain.start()
            await console_says(host, CONSOLE, ready_line)
            told["seconds"]["boot"] = round(trio.current_time() - began_s, 2)
            story = Story(hypervisor, domain, PciBus(host), told)
            await story.look_around()
            await story.trip("unmanaged", HOSTDEV_XML)
            await story.trip("managed", MANAGED_XML)
            adapter = await make_target()
            for name, text in OTHERS.items():
                await story.other_trip(name, text.format(adapter=adapter))
            told["inactive at the end"] = [str(one) for one in hypervisor.host_devices.inactive]
            await domain.destroy()
    finally:
        await trio.Path("told.json").write_text(json.dumps(told))


if __name__ == "__main__":
    require_nested()
    program, kernel, initrd, ready_line, cmdline = sys.argv
    trio.run(tell, kernel, initrd, ready_line, cmdline)
