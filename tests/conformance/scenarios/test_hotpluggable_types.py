"""Every type that can be plugged, on one booted Linux guest: it comes, and it goes completely."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from pyvirt_sim.conformance.real.guest import Guest
from pyvirt_sim.scenarios.hot_unplug import console_says
from pyvirt_trio import DeviceAdded, DeviceRemoved, Domain, Subscription, open_hypervisor
from pyvirt_trio.errors import (
    CommandFailedError,
    ErrorCode,
    InvalidStateError,
    NotFoundError,
)
from pyvirt_trio.host.real import RealHost
from pyvirt_trio.models import VirtioMemory
from pyvirt_trio.models.events import MemoryDeviceSizeChanged

pytestmark = pytest.mark.real_qemu

PATIENCE_S = 120
"""Booting takes about 4 s of TCG on an idle machine, and test machines are busy."""

DEVICES = {
    "rng": "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>",
    "rng of QEMU's own": "<rng model='virtio'><backend model='builtin'/></rng>",
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
    "console": "<console type='null'><target type='virtio'/></console>",
    "memory module": """
        <memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target></memory>""",
    "shared memory": """
        <shmem name='NAME'><model type='ivshmem-plain'/><size unit='M'>1</size></shmem>""",
}

VIRTIOFSD = "/usr/lib/qemu/virtiofsd"
"""Debian's QEMU package brings it."""

LEASE = "<lease><lockspace>a</lockspace><key>b</key><target path='/tmp/x'/></lease>"
FOLDER = """
    <filesystem type='mount'>
      <driver type='virtiofs' queue='512'/>
      <source socket='SOCKET'/><target dir='share'/>
    </filesystem>"""
VIRTIO_MEMORY = """
    <memory model='virtio-mem'>
      <target>
        <size unit='MiB'>256</size><node>0</node>
        <block unit='MiB'>2</block><requested unit='MiB'>64</requested>
      </target>
    </memory>"""
NVDIMM = """
    <memory model='nvdimm'>
      <source><path>FILE.nvdimm</path></source>
      <target><size unit='MiB'>64</size><node>0</node></target>
    </memory>"""
VIRTIO_PMEM = """
    <memory model='virtio-pmem' access='shared'>
      <source><path>FILE.virtio</path></source><target><size unit='MiB'>64</size></target>
    </memory>"""


def domain_xml(guest: Guest, console: str) -> str:
    ports = "".join(
        f"<controller type='pci' index='{i}' model='pcie-root-port'/>" for i in range(1, 6)
    )
    return f"""
    <domain type='qemu'>
      <name>demo</name>
      <maxMemory slots='4' unit='GiB'>1</maxMemory><memory unit='MiB'>256</memory>
      <cpu><numa><cell id='0' cpus='0' memory='256' unit='MiB' memAccess='shared'/></numa></cpu>
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


async def lease_comes_and_goes(domain: Domain) -> None:
    """No device of QEMU's: it is in the definition, and then it is not; nothing is announced."""
    device = await domain.attach_device(LEASE)
    assert device in domain.definition.devices
    with pytest.raises(InvalidStateError, match="already exists"):
        await domain.attach_device(LEASE)
    await domain.detach_device(LEASE)
    assert device not in domain.definition.devices
    with pytest.raises(NotFoundError):
        await domain.detach_device(LEASE)


async def folder_comes_and_goes(domain: Domain, events: Subscription, source: str) -> None:
    """A folder that a virtiofsd serves: a device, and the connection behind it.

    Args:
        domain: It runs.
        events: Of the domain.
        source: What the device's source says: the socket of a virtiofsd, or a folder.
    """
    assert domain.current_life is not None
    before = await there(domain)
    device = await domain.attach_device(FOLDER.replace("socket='SOCKET'", source))
    assert device.alias == "fs0"
    assert isinstance((await events.receive()).event, DeviceAdded)
    assert await there(domain) == before | {"fs0"}
    await domain.detach_device(device.alias)
    assert isinstance((await events.receive()).event, DeviceRemoved)
    assert await there(domain) == before
    ends = await domain.current_life.execute("query-chardev")
    assert "chr-vu-fs0" not in {end["label"] for end in ends}


@asynccontextmanager
async def virtiofsd(folder: Path) -> AsyncGenerator[str]:
    """A running virtiofsd that serves an empty folder, and its socket."""
    socket, shared = folder / "fs.socket", folder / "shared"
    shared.mkdir()
    argv = [VIRTIOFSD, f"--socket-path={socket}", "-o", f"source={shared},sandbox=chroot", "-f"]
    async with trio.open_nursery() as nursery:
        run = partial(trio.run_process, argv, capture_stderr=True, check=False)
        process = await nursery.start(run)
        while not socket.exists():
            assert process.poll() is None, "virtiofsd ended"
            await trio.sleep(0.01)  # a real process, and no other sign of it
        yield str(socket)
        nursery.cancel_scope.cancel()


async def virtio_memory_grows_and_shrinks(domain: Domain, events: Subscription) -> None:
    """The guest follows what is asked of it, and says how far it is."""
    device = await domain.attach_device(VIRTIO_MEMORY)
    assert device.alias == "virtiomem0"
    assert isinstance((await events.receive()).event, DeviceAdded)
    for wanted_mib in (64, 16):
        wanted = VIRTIO_MEMORY.replace(">64<", f">{wanted_mib}<")
        if wanted_mib != 64:
            await domain.update_device(wanted)
        while True:
            event = (await events.receive()).event
            assert isinstance(event, MemoryDeviceSizeChanged)
            assert event.alias == device.alias
            if event.size_kib == wanted_mib * 1024:
                break
        memory = domain.definition.device("virtiomem0")
        assert isinstance(memory, VirtioMemory)
        assert (wanted_mib * 1024, wanted_mib * 1024) == (memory.current_kib, memory.requested_kib)


async def memory_that_stays(domain: Domain, path: str) -> None:
    """What QEMU 7.2 takes and never gives back; libvirt's request meets the same words."""
    stays = ("nvdimm device hot unplug is not supported yet.", NVDIMM)
    also = ("virtio based memory devices cannot be unplugged.", VIRTIO_PMEM)
    for words, xml in (stays, also):
        device = await domain.attach_device(xml.replace("FILE", path))
        assert device.alias is not None
        with pytest.raises(CommandFailedError, match=words) as caught:
            await domain.detach_device(device.alias)
        assert caught.value.code == ErrorCode.INTERNAL_ERROR
        assert domain.definition.device(device.alias) == device
    with pytest.raises(CommandFailedError, match=also[0]):
        await domain.detach_device("virtiomem0")


async def test_each_type_comes_and_goes_on_a_booted_guest(
    linux_guest: Guest, tmp_path: Path
) -> None:
    root, console = f"{tmp_path}/vms", f"{tmp_path}/console"
    await RealHost().replace_file(console, "")
    image = trio.Path(tmp_path) / "image"
    await image.write_bytes(bytes(1 << 20))
    memory = f"pyvirt-test-{tmp_path.name}"
    with trio.fail_after(PATIENCE_S):
        async with open_hypervisor(
            f"qemu:///embed?root={root}", destroy_on_exit=True
        ) as hypervisor:
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
            await lease_comes_and_goes(domain)
            async with virtiofsd(tmp_path) as served:
                await folder_comes_and_goes(domain, events, f"socket='{served}'")
            await folder_comes_and_goes(domain, events, f"dir='{tmp_path / 'shared'}'")
            await virtio_memory_grows_and_shrinks(domain, events)
            await memory_that_stays(domain, f"{tmp_path}/pmem")
            await domain.destroy()
