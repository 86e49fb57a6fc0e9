"""Every event there is, raised through the simulated QEMU: the page's "told" is a promise."""

from __future__ import annotations

import errno
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio

from pyvirt_sim.host import HostPlan, SimPciDevice
from pyvirt_sim.qemu.guest import UnplugAnswer
from pyvirt_sim.qemu.guest_actions import GuestAction
from pyvirt_sim.qemu.process import QemuProcess
from pyvirt_sim.qemu.viewers import Viewer
from pyvirt_trio import PciAddress, UnplugRefusedError
from pyvirt_trio.models.event_filter import EVENT_TYPES
from pyvirt_trio.models.events import (
    GraphicsChanged,
    GraphicsPhase,
    HypervisorEvent,
    MemoryFailed,
    MemoryFailureAction,
    MemoryFailureRecipient,
)
from tests.simulated.driver.test_agent import CHANNEL
from tests.simulated.driver.world import RNG_XML, Clock, World, open_world, received

KIB, MIB = 1 << 10, 1 << 20
OTHER = PciAddress.parse("0000:05:00.0")
EMPTY = "<disk type='file' device='cdrom'><target dev='sda' bus='scsi'/></disk>"
VIRTIO_MEMORY = """<memory model='virtio-mem'><target><size unit='MiB'>256</size><node>0</node>
<block unit='MiB'>2</block><requested unit='MiB'>64</requested></target></memory>"""
DEVICES = """<controller type='scsi' index='0' model='virtio-scsi'/>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/images/vda'/>
<target dev='vda' bus='virtio'/></disk>
<disk type='file' device='disk'><driver name='qemu' type='raw'/>
<source file='/images/gone' startupPolicy='optional'/><target dev='vdb' bus='virtio'/></disk>
<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='/images/cd'/>
<target dev='sda' bus='scsi'/></disk>
<graphics type='vnc' port='5917' listen='127.0.0.1'/>
<watchdog model='i6300esb' action='pause'/>"""
MEMORY = """<maxMemory slots='2' unit='GiB'>1</maxMemory>"""
CPU = "<cpu><numa><cell id='0' cpus='0' memory='256' unit='MiB'/></numa></cpu>"

Doing = Callable[[World], Awaitable[object]]


@asynccontextmanager
async def equipped(*, agent: bool = False) -> AsyncGenerator[World]:
    """A defined domain with a device of every kind that tells of something."""
    async with open_world(HostPlan(has_guest_agent=agent)) as world:
        for name in ("vda", "cd"):
            world.host.add_file(f"/images/{name}")
        more = DEVICES + CHANNEL * agent
        xml = world.domain.xml().replace("</devices>", f"{more}</devices>")
        xml = xml.replace("<memory ", f"{MEMORY}<memory ", 1).replace("<os>", f"{CPU}<os>", 1)
        await world.hypervisor.define(xml)
        yield world


def qemu(world: World) -> QemuProcess:
    return world.host.processes()[-1].qemu


# -- what leads to them ---------------------------------------------------------------------------


async def nothing(_: World) -> None:
    """The start itself does it."""


async def undefine(world: World) -> None:
    await world.domain.undefine()


async def destroy(world: World) -> None:
    await world.domain.destroy()


async def sleep(world: World) -> None:
    world.guest.act(GuestAction.SUSPEND)


async def wake(world: World) -> None:
    world.guest.act(GuestAction.SUSPEND)
    await trio.sleep(1)
    await world.domain.pm_wakeup()


async def hibernate(world: World) -> None:
    world.guest.act(GuestAction.HIBERNATE)


async def panic(world: World) -> None:
    qemu(world).machine.panic()


async def set_clock(world: World) -> None:
    world.guest.act(GuestAction.SET_CLOCK)


async def let_watchdog_expire(world: World) -> None:
    world.guest.act(GuestAction.LET_WATCHDOG_EXPIRE)


async def fail_disk(world: World) -> None:
    qemu(world).machine.tree.drives.of_device("virtio-disk0").errno = errno.EIO
    world.guest.write("virtio-disk0", 8 * KIB)


async def exceed_threshold(world: World) -> None:
    await world.domain.set_block_threshold("vda", 4 * KIB)
    world.guest.write("virtio-disk0", 8 * KIB)


async def look(world: World) -> None:
    viewer = Viewer(qemu(world))
    viewer.connect()
    viewer.be_let_in()
    viewer.leave()


async def babble(world: World) -> None:
    qemu(world).monitors.babble()


async def pull(world: World) -> None:
    await world.domain.block_pull("vda")


async def eject(world: World) -> None:
    await world.domain.update_device(EMPTY)


async def balloon(world: World) -> None:
    world.guest.has_balloon = True
    life = world.domain.running_life()
    await life.execute("device_add", {"driver": "virtio-balloon-pci", "bus": "pci.1"})
    await trio.sleep(2)
    await life.execute("balloon", {"value": 200 * MIB})


async def plug(world: World) -> None:
    await world.domain.attach_device(RNG_XML)


async def unplug(world: World) -> None:
    await world.domain.attach_device(RNG_XML)
    await world.domain.detach_device("rng0")


async def refuse_unplug(world: World) -> None:
    world.guest.unplug_answer = UnplugAnswer.REFUSE
    await world.domain.attach_device(RNG_XML)
    with pytest.raises(UnplugRefusedError):
        await world.domain.detach_device("rng0")


async def tune(world: World) -> None:
    await world.domain.set_block_io_tune("vda", {"total_iops_sec": 500})


async def title(world: World) -> None:
    await world.domain.set_title("a title")


async def save(world: World) -> None:
    await world.domain.managed_save()


async def damage_memory(world: World) -> None:
    qemu(world).machine.memory_fails()


async def grow(world: World) -> None:
    await world.domain.attach_device(VIRTIO_MEMORY)


async def plug_host_device(world: World) -> None:
    await world.hypervisor.follow_node_devices()
    device = SimPciDevice(address=OTHER, driver="e1000e", iommu_group=9)
    await world.host.plug_pci_device(device)
    await trio.sleep(1)
    await (await world.hypervisor.node_device(OTHER.node_device_name)).detach()
    await trio.sleep(1)
    await world.host.unplug_pci_device(device)


DOINGS: dict[str, Doing] = {
    "DomainDefined": nothing,
    "DomainUndefined": undefine,
    "DomainStarted": nothing,
    "DomainResumed": nothing,
    "DomainSuspended": lambda world: world.domain.suspend(),
    "DomainShutdown": destroy,
    "DomainStopped": destroy,
    "DomainPmSuspended": sleep,
    "DomainCrashed": panic,
    "DomainRebooted": lambda world: world.domain.reset(),
    "RtcChanged": set_clock,
    "WatchdogFired": let_watchdog_expire,
    "IoErrorOccurred": fail_disk,
    "GraphicsChanged": look,
    "ControlFailed": babble,
    "BlockJobChanged": pull,
    "DiskChanged": nothing,
    "TrayMoved": eject,
    "GuestWoke": wake,
    "GuestSlept": sleep,
    "BalloonChanged": balloon,
    "GuestHibernated": hibernate,
    "DeviceRemoved": unplug,
    "TunableChanged": tune,
    "AgentStateChanged": nothing,
    "DeviceAdded": plug,
    "MigrationIterated": save,
    "JobCompleted": save,
    "DeviceRemovalFailed": refuse_unplug,
    "MetadataChanged": title,
    "BlockThresholdExceeded": exceed_threshold,
    "MemoryFailed": damage_memory,
    "MemoryDeviceSizeChanged": grow,
    "NodeDeviceCreated": plug_host_device,
    "NodeDeviceDeleted": plug_host_device,
    "NodeDeviceUpdated": plug_host_device,
}


async def told(name: str) -> list[HypervisorEvent]:
    """All that is announced of a domain's start and of what leads to an event."""
    async with equipped(agent=name == "AgentStateChanged") as world:
        await world.domain.start()
        await world.boot_finished()
        await DOINGS[name](world)
        await trio.sleep(60)
        return received(world.hypervisor, world.events)


def count(events: list[HypervisorEvent], name: str) -> int:
    return sum(type(event) is EVENT_TYPES[name] for event in events)


@pytest.mark.parametrize("name", EVENT_TYPES)
async def test_there_is_a_doing_that_leads_to_it(autojump_clock: Clock, name: str) -> None:
    least = 1
    if DOINGS[name] is not nothing:  # there are more of it than of the start alone
        least += count(await told("DomainDefined"), name)
    assert count(await told(name), name) >= least


def test_there_is_a_doing_for_each_and_for_no_other() -> None:
    assert set(DOINGS) == set(EVENT_TYPES)


async def test_somebody_who_looks_at_the_screen_is_told_of_three_times(
    autojump_clock: Clock,
) -> None:
    events = [
        event for event in await told("GraphicsChanged") if isinstance(event, GraphicsChanged)
    ]
    phases = [GraphicsPhase.CONNECT, GraphicsPhase.INITIALIZE, GraphicsPhase.DISCONNECT]
    assert [event.phase for event in events] == phases
    ends = {(event.local, event.remote, event.auth_scheme) for event in events}
    assert ends == {("127.0.0.1:5917", "127.0.0.1:51484", "none")}


async def test_damaged_memory_is_told_of_before_the_reset_it_leads_to(
    autojump_clock: Clock,
) -> None:
    events = await told("MemoryFailed")
    names = [type(event).__name__ for event in events]
    assert names[-2:] == ["MemoryFailed", "DomainRebooted"]
    failure = events[-2]
    assert isinstance(failure, MemoryFailed)
    assert failure.recipient is MemoryFailureRecipient.GUEST
    assert failure.action is MemoryFailureAction.RESET
