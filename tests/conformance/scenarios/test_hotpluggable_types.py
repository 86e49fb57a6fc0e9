"""Every type that can be plugged, on one booted Linux guest: it comes, and it goes completely."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from pyvirt_sim.conformance.real.guest import Guest
from pyvirt_sim.scenarios.hot_unplug import console_says
from pyvirt_trio import DeviceAdded, DeviceRemoved, Domain, open_hypervisor
from pyvirt_trio.host.real import RealHost

pytestmark = pytest.mark.real_qemu

PATIENCE_S = 120
"""Booting takes about 4 s of TCG on an idle machine, and test machines are busy."""

DEVICES = {
    "rng": "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>",
    "interface": "<interface type='user'><model type='virtio'/></interface>",
    "virtio disk": "<disk type='file'><source file='IMAGE'/><target dev='vda'/></disk>",
    "SCSI disk": "<disk type='file'><source file='IMAGE'/><target dev='sda' bus='scsi'/></disk>",
    "USB disk": "<disk type='file'><source file='IMAGE'/><target dev='sdb' bus='usb'/></disk>",
    "SCSI CD-ROM": """
        <disk type='file' device='cdrom'>
          <source file='IMAGE'/><target dev='sdc' bus='scsi'/><readonly/>
        </disk>""",
    "empty CD-ROM drive": "<disk device='cdrom'><target dev='sdd' bus='scsi'/></disk>",
    "SCSI controller": "<controller type='scsi' index='3' model='virtio-scsi'/>",
    "USB tablet": "<input type='tablet' bus='usb'/>",
    "USB keyboard": "<input type='keyboard' bus='usb'/>",
    "USB mouse": "<input type='mouse' bus='usb'/>",
    "virtio tablet": "<input type='tablet' bus='virtio'/>",
    "virtio keyboard": "<input type='keyboard' bus='virtio'/>",
    "watchdog": "<watchdog model='i6300esb' action='none'/>",
    "channel on a socket": """
        <channel type='unix'>
          <source mode='bind' path='SOCKET'/><target type='virtio' name='org.pyvirt.a'/>
        </channel>""",
    "channel in a file": """
        <channel type='file'><source path='IMAGE.log'/><target type='virtio'/></channel>""",
    "USB serial port": """
        <serial type='null'><target type='usb-serial'/></serial>""",
    "PCI serial port": """
        <serial type='tcp'>
          <source mode='bind' host='127.0.0.1' service='0'/><target type='pci-serial'/>
        </serial>""",
    "redirected USB": """
        <redirdev bus='usb' type='unix'><source mode='bind' path='SOCKET'/></redirdev>""",
    "shared memory": """
        <shmem name='NAME'><model type='ivshmem-plain'/><size unit='M'>1</size></shmem>""",
}


def domain_xml(guest: Guest, console: str) -> str:
    ports = "".join(
        f"<controller type='pci' index='{i}' model='pcie-root-port'/>" for i in range(1, 6)
    )
    return f"""
    <domain type='qemu'>
      <name>demo</name><memory unit='MiB'>256</memory>
      <os>
        <type arch='x86_64' machine='q35'>hvm</type>
        <kernel>{guest.kernel}</kernel><initrd>{guest.initrd}</initrd>
        <cmdline>{guest.cmdline}</cmdline>
      </os>
      <devices>
        {ports}
        <controller type='usb' index='0' model='qemu-xhci'/>
        <controller type='scsi' index='0' model='virtio-scsi'/>
        <controller type='virtio-serial' index='0'/>
        <serial type='file'><source path='{console}'/></serial>
      </devices>
    </domain>"""


async def there(domain: Domain) -> set[str]:
    """The devices QEMU has under a name of ours."""
    assert domain.current_life is not None
    found = await domain.current_life.execute("qom-list", {"path": "/machine/peripheral"})
    return {one["name"] for one in found if one["type"].startswith("child<")}


async def forward_comes_and_goes(domain: Domain) -> None:
    """An address forwarded to the host: no device in QEMU, a character device and a network."""
    assert domain.current_life is not None
    device = await domain.attach_device("""
        <channel type='null'><target type='guestfwd' address='10.0.2.1' port='4600'/></channel>""")
    assert device.alias is not None
    ends = await domain.current_life.execute("query-chardev")
    assert f"char{device.alias}" in {end["label"] for end in ends}
    await domain.detach_device(device.alias)
    ends = await domain.current_life.execute("query-chardev")
    assert f"char{device.alias}" not in {end["label"] for end in ends}


async def test_each_type_comes_and_goes_on_a_booted_guest(
    linux_guest: Guest, tmp_path: Path
) -> None:
    root, console = f"{tmp_path}/vms", f"{tmp_path}/console"
    await RealHost().replace_file(console, "")
    image = trio.Path(tmp_path) / "image"
    await image.write_bytes(bytes(1 << 20))
    memory = f"pyvirt-test-{tmp_path.name}"
    with trio.fail_after(PATIENCE_S):
        async with open_hypervisor(f"qemu:///embed?root={root}") as hypervisor:
            domain = await hypervisor.define(domain_xml(linux_guest, console))
            await domain.start()
            await console_says(RealHost(), console, linux_guest.ready_line)
            _, events = hypervisor.subscribe()
            before = await there(domain)
            for name, template in DEVICES.items():
                xml = template.replace("IMAGE", str(image)).replace("NAME", memory)
                xml = xml.replace("SOCKET", f"{tmp_path}/socket")
                device = await domain.attach_device(xml)
                assert device.alias is not None, name
                assert isinstance((await events.receive()).event, DeviceAdded), name
                assert await there(domain) == before | {device.alias}, name
                await domain.detach_device(device.alias)
                record = await events.receive()
                assert isinstance(record.event, DeviceRemoved), name
                assert record.event.alias == device.alias, name
                assert await there(domain) == before, name
            await forward_comes_and_goes(domain)
            assert isinstance((await events.receive()).event, DeviceAdded)
            assert isinstance((await events.receive()).event, DeviceRemoved)
            await domain.destroy()
