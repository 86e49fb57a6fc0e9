"""The founding story, one body, two arms: a simulated host, and a real QEMU with a real Linux."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from pyvirt_sim.conformance.real.guest import Guest
from pyvirt_sim.host import open_sim_host
from pyvirt_sim.scenarios.hot_unplug import Setting, console_says, play
from pyvirt_trio import open_hypervisor
from pyvirt_trio.abc import Host
from pyvirt_trio.host.real import RealHost

RNG = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
CARD = "<interface type='user'><model type='virtio'/></interface>"
DISK = """
<disk type='file' device='disk'>
  <driver name='qemu' type='raw'/><source file='IMAGE'/><target dev='vda' bus='virtio'/>
</disk>"""
DEVICES = pytest.mark.parametrize("device", [RNG, CARD, DISK], ids=["rng", "interface", "disk"])
EXPECTED = [
    "DomainResumed",
    "DomainStarted",
    "DeviceAdded",
    "DeviceRemoved",
    "DomainShutdown",
    "DomainStopped",
]

PATIENCE_S = 60
"""Booting takes about 4 s of TCG on an idle machine, and test machines are busy."""


def domain_xml(kernel: str, initrd: str, cmdline: str, console: str) -> str:
    return f"""
    <domain type='qemu'>
      <name>demo</name>
      <memory unit='MiB'>256</memory>
      <vcpu>1</vcpu>
      <os>
        <type arch='x86_64' machine='q35'>hvm</type>
        <kernel>{kernel}</kernel><initrd>{initrd}</initrd><cmdline>{cmdline}</cmdline>
      </os>
      <devices>
        <controller type='pci' index='1' model='pcie-root-port'/>
        <serial type='file'><source path='{console}'/></serial>
      </devices>
    </domain>"""


async def told(host: Host, root: str, xml: str, device: str, line: str) -> list[str]:
    """Play the story and return what the client was told, in order."""
    setting = Setting(
        domain_xml=xml,
        device_xml=device,
        source=None,
        guest_is_ready=lambda _: console_says(host, f"{root}.console", line),
    )
    async with open_hypervisor(
        f"qemu:///embed?root={root}", host=host, destroy_on_exit=True
    ) as hypervisor:
        events = await play(hypervisor, setting)
        assert hypervisor.domain("demo").status.is_active is False
        return events


@DEVICES
async def test_the_simulated_arm(device: str, autojump_clock: trio.testing.MockClock) -> None:
    async with open_sim_host() as host:
        host.add_file("/boot/vmlinuz")
        host.add_file("/boot/initrd")
        xml = domain_xml("/boot/vmlinuz", "/boot/initrd", "quiet", "/vms.console")
        host.add_file("/disk.img")
        device = device.replace("IMAGE", "/disk.img")
        assert await told(host, "/vms", xml, device, "simulated guest is up") == EXPECTED


@pytest.mark.real_qemu
@DEVICES
async def test_the_real_arm(device: str, linux_guest: Guest, tmp_path: Path) -> None:
    guest, root = linux_guest, f"{tmp_path}/vms"
    xml = domain_xml(str(guest.kernel), str(guest.initrd), guest.cmdline, f"{root}.console")
    await RealHost().replace_file(f"{root}.console", "")
    await trio.Path(f"{root}.img").write_bytes(bytes(1 << 20))
    device = device.replace("IMAGE", f"{root}.img")
    with trio.fail_after(PATIENCE_S):
        assert await told(RealHost(), root, xml, device, guest.ready_line) == EXPECTED
