"""The founding story with a real host device; run inside a nested machine, never on this one.

``python -m tests.conformance.scenarios.nested_story`` plays it with the network card in the slot
0000:01:00.0 and leaves what the client was told in ``told.json``.

The domain has no operating system: booting one in an emulator in an emulator takes minutes. With
this machine type a slot has native hotplug, and a slot that nobody has powered on is unplugged
without asking the guest, so what is real here is all but the guest's answer: sysfs, IOMMU, vfio-pci
and QEMU's hold on them.
"""

from __future__ import annotations

import json

import trio

from pyvirt_sim.conformance.real.inside import require_nested
from pyvirt_sim.scenarios.hot_unplug import ADDRESS, Setting, play
from pyvirt_trio import open_hypervisor
from pyvirt_trio.host.pci import PciBus
from pyvirt_trio.host.real import RealHost

DOMAIN_XML = """
<domain type='qemu'>
  <name>demo</name>
  <memory unit='MiB'>64</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc-q35-6.0'>hvm</type></os>
  <devices><controller type='pci' index='1' model='pcie-root-port'/></devices>
</domain>"""


async def tell() -> None:
    """Play the story, and look who has the card before and after."""
    host = RealHost()
    bus = PciBus(host)
    before = await bus.driver(ADDRESS)
    setting = Setting(domain_xml=DOMAIN_XML, source=ADDRESS)
    async with open_hypervisor("qemu:///embed?root=/run/vms", host=host) as hypervisor:
        events = await play(hypervisor, setting)
    told = {"before": before, "after": await bus.driver(ADDRESS), "events": events}
    await trio.Path("told.json").write_text(json.dumps(told))


if __name__ == "__main__":
    require_nested()
    trio.run(tell)
