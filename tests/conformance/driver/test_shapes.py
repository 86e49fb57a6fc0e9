"""Each form of the command line comes up on a real QEMU, and on the simulated one."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import pytest
import trio
import trio.testing

from pyvirt_sim.host import open_sim_host
from pyvirt_trio import CommandFailedError, Domain, Hypervisor, open_hypervisor
from pyvirt_trio.driver.processes import find_by_word
from pyvirt_trio.models import Filesystem

PATIENCE_S = 60
RNG = "<rng model='virtio'><backend model='random'/>{}</rng>"
PLACE = "<address type='pci' domain='0' bus='1' slot='0' function='{}'/>"
PORTS = [f"<controller type='pci' index='{n}' model='pcie-root-port'/>" for n in range(1, 4)]

SHAPES = {
    "two functions of a slot": (
        f"{PORTS[0]}{RNG.format(PLACE.format(1))}{RNG.format(PLACE.format(0))}",
        {"rng0", "rng1"},
    ),
    "SATA disk and drives": (
        """<disk type='file'><source file='IMAGE'/><target dev='sdb' bus='sata'/></disk>
        <disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>
        <disk type='file' device='cdrom' snapshot='no'>
          <source file='IMAGE2'/><target dev='sdf' bus='sata'/>
        </disk>
        <disk type='file' device='cdrom'>
          <source file='IMAGE3'/><target dev='sdg' bus='usb'/>
        </disk>""",
        {"sata0-0-1", "sata0-0-0", "sata0-0-5", "usb-disk6"},
    ),
    "watchdog on ISA": ("<watchdog model='ib700' action='none'/>", {"watchdog0"}),
}
"""Devices, and the names QEMU then knows."""

SHARED = "<access mode='shared'/>"
NODE = "<cpu><numa><cell id='0' cpus='0' memory='64' unit='MiB'/></numa></cpu>"
MEMORY = {
    "memfd": ("<source type='memfd'/><access mode='shared'/>", True),
    "memfd without a word": ("<access mode='shared'/>", True),
    "file": ("<source type='file'/><access mode='shared'/><discard/>", True),
    "private file": ("<source type='file'/><access mode='private'/>", False),
    "anonymous": ("<source type='anonymous'/><allocation mode='immediate'/>", False),
    "not swapped, not merged": ("<locked/><nosharepages/>", False),
}
"""What stands in <memoryBacking>, and whether others can be given the memory."""


def domain_xml(devices: str, backing: str = "") -> str:
    return f"""
    <domain type='qemu'>
      <name>demo</name><memory unit='MiB'>64</memory>
      <memoryBacking>{backing}</memoryBacking>
      <os><type arch='x86_64' machine='q35'>hvm</type></os>
      <devices>{devices}</devices>
    </domain>"""


async def names(domain: Domain) -> set[str]:
    there = await domain.running_life().execute("qom-list", {"path": "/machine/peripheral"})
    return {one["name"] for one in there}


async def has_shared(domain: Domain) -> bool:
    memory = await domain.running_life().execute("query-memdev")
    assert [one["size"] for one in memory] == [64 << 20]
    return memory[0]["share"] is True


@asynccontextmanager
async def real(folder: Path) -> AsyncGenerator[Hypervisor]:
    uri = f"qemu:///embed?root={folder}/vms"
    with trio.fail_after(PATIENCE_S):
        async with open_hypervisor(uri, destroy_on_exit=True) as hypervisor:
            yield hypervisor


@asynccontextmanager
async def simulated(folder: str) -> AsyncGenerator[Hypervisor]:
    async with open_sim_host() as host:
        for name in ("IMAGE", "IMAGE2", "IMAGE3"):
            host.add_file(f"{folder}/{name}")
        uri = "qemu:///embed?root=/vms"
        async with open_hypervisor(uri, host=host, destroy_on_exit=True) as hypervisor:
            yield hypervisor


async def comes_up(hypervisor: Hypervisor, name: str, folder: str) -> None:
    devices, expected = SHAPES[name]
    domain = await hypervisor.define(domain_xml(devices.replace("IMAGE", f"{folder}/IMAGE")))
    await domain.start(paused=True)
    assert expected <= await names(domain)
    await domain.destroy()


async def has_memory(hypervisor: Hypervisor, name: str) -> None:
    backing, is_shared = MEMORY[name]
    for more in ("", NODE):
        xml = domain_xml("", backing).replace("<os>", f"{more}<os>")
        domain = await hypervisor.define(xml)
        await domain.start(paused=True)
        assert is_shared is await has_shared(domain)
        await domain.destroy()
        await domain.undefine()


@pytest.mark.real_qemu
@pytest.mark.parametrize("name", SHAPES)
async def test_a_real_qemu_takes_devices(name: str, tmp_path: Path) -> None:
    for image in ("IMAGE", "IMAGE2", "IMAGE3"):
        (tmp_path / image).write_bytes(bytes(1 << 20))
    async with real(tmp_path) as hypervisor:
        await comes_up(hypervisor, name, str(tmp_path))


@pytest.mark.parametrize("name", SHAPES)
async def test_the_simulated_one_takes_devices(
    name: str, autojump_clock: trio.testing.MockClock
) -> None:
    async with simulated("/images") as hypervisor:
        await comes_up(hypervisor, name, "/images")


@pytest.mark.real_qemu
@pytest.mark.parametrize("name", MEMORY)
async def test_a_real_qemu_has_such_memory(name: str, tmp_path: Path) -> None:
    async with real(tmp_path) as hypervisor:
        await has_memory(hypervisor, name)


@pytest.mark.parametrize("name", MEMORY)
async def test_the_simulated_one_has_such_memory(
    name: str, autojump_clock: trio.testing.MockClock
) -> None:
    async with simulated("/images") as hypervisor:
        await has_memory(hypervisor, name)


@pytest.mark.real_qemu
async def test_a_real_virtiofsd_serves_a_folder_and_ends_with_the_machine(tmp_path: Path) -> None:
    """At the start, and when it is plugged in; without a guest nobody would let go of it."""
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    one, two = (
        f"""<filesystem type='mount'>
          <driver type='virtiofs'/><binary><sandbox mode='chroot'/></binary>
          <source dir='{folder}'/><target dir='{folder.name}'/>
        </filesystem>"""
        for folder in folders
    )
    async with real(tmp_path) as hypervisor:
        domain = await hypervisor.define(domain_xml("".join(PORTS[:2]) + one, SHARED))
        await domain.start(paused=True)
        await domain.attach_device(two)
        assert {"fs0", "fs1"} <= await names(domain)
        words = [
            f"--socket-path={device.socket}"
            for device in domain.definition.devices
            if isinstance(device, Filesystem)
        ]
        assert [bool(await find_by_word(hypervisor.host, word)) for word in words] == [True, True]
        await domain.destroy()
        assert [await find_by_word(hypervisor.host, word) for word in words] == [None, None]


class Bells(threading.Thread):
    """A server of ivshmem: it tells each who connects its number, and gives it the memory."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._memory = os.memfd_create("bells")
        os.ftruncate(self._memory, 1 << 20)

    def run(self) -> None:
        while True:
            peer, _ = self._socket.accept()
            self._greet(peer)

    def _greet(self, peer: socket.socket) -> None:
        """Version, the peer's number, the memory, and a bell of its own."""
        bell = os.eventfd(0)
        for number, descriptors in ((0, []), (7, []), (-1, [self._memory]), (7, [bell])):
            socket.send_fds(peer, [struct.pack("<q", number)], descriptors)
        self._peers.append(peer)

    _peers: ClassVar[list[socket.socket]] = []


@pytest.mark.real_qemu
async def test_a_real_qemu_takes_memory_from_a_server(tmp_path: Path) -> None:
    Bells(tmp_path / "bells").start()
    bell = f"""<shmem name='bells'><model type='ivshmem-doorbell'/>
        <server path='{tmp_path / "bells"}'/>{{}}</shmem>"""
    async with real(tmp_path) as hypervisor:
        xml = "".join(PORTS) + bell.format("")
        domain = await hypervisor.define(domain_xml(xml))
        await domain.start(paused=True)
        await domain.attach_device(bell.format("<msi vectors='1' ioeventfd='on'/>"))
        assert {"shmem0", "shmem1"} <= await names(domain)
        with pytest.raises(CommandFailedError, match="Failed to connect to"):
            await domain.attach_device(bell.format("").replace("/bells'", "/nobody'"))
