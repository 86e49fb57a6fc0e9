"""What a guest does that its host is told of: one story, a real Linux in a real QEMU and ours.

The real guest is asked by its agent to set its clock, to write to a disk, and to let its watchdog
expire, which it programs through its registers because this kernel has no driver for it. The disk
that fails is one that QEMU itself is told to fail.
"""

from __future__ import annotations

import errno
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import attrs
import pytest
import trio
import trio.testing

from pyvirt_sim.conformance.real.guest import Guest
from pyvirt_sim.host import HostPlan, SimHost, open_sim_host
from pyvirt_sim.qemu.guest_actions import GuestAction
from pyvirt_trio import Domain, DomainEvent, Subscription, open_hypervisor
from pyvirt_trio.abc import Host
from pyvirt_trio.models.agent import GuestShutdownMode
from pyvirt_trio.models.events import (
    AgentState,
    AgentStateChanged,
    BalloonChanged,
    BlockJobChanged,
    BlockThresholdExceeded,
    IoErrorOccurred,
    TrayMoved,
    TunableChanged,
    WatchdogFired,
)

# Ten times what it takes on an idle machine.
PATIENCE_S = 200
BYTES = 8 << 20
MIB = 1 << 20
EMPTY = "<disk type='file' device='cdrom'><target dev='sda' bus='scsi'/></disk>"

EXPECTED = [
    "RtcChanged",
    "TrayMoved scsi0-0-0-0 OPEN",
    "TrayMoved scsi0-0-0-0 CLOSE",
    # Linux follows in small steps, of which QEMU tells the first and, a second later, the last.
    f"BalloonChanged {255 * 1024}",
    f"BalloonChanged {200 * 1024}",
    "BlockThresholdExceeded vdb 4096 4096",
    "IoErrorOccurred virtio-disk1 PAUSE enospc",
    "DomainSuspended IOERROR",
    "DomainResumed UNPAUSED",
    "IoErrorOccurred virtio-disk1 REPORT ",
    "BlockJobChanged vdb PULL COMPLETED",
    "TunableChanged blkdeviotune.disk=vdb blkdeviotune.total_iops_sec=500",
    "WatchdogFired PAUSE",
    "DomainSuspended WATCHDOG",
    "DomainResumed UNPAUSED",
    "DomainRebooted",
]


def line(event: DomainEvent) -> str:
    """An event, without what differs from one run to the next."""
    facts: list[object]
    match event:
        case BalloonChanged():
            facts = [event.actual_kib]
        case TrayMoved():
            facts = [event.alias, event.move.name]
        case BlockThresholdExceeded():
            facts = [event.target, event.threshold_bytes, event.excess_bytes]
        case IoErrorOccurred():
            facts = [event.alias, event.action.name, event.reason]
        case BlockJobChanged():
            facts = [event.target, event.type.name, event.status.name]
        case TunableChanged():
            facts = [f"{key}={value}" for key, value in event.parameters]
        case WatchdogFired():
            facts = [event.action.name]
        case _:
            detail = getattr(event, "detail", None)
            facts = [] if detail is None else [detail.name]
    return " ".join(map(str, (type(event).__name__, *facts)))


class Doer(Protocol):
    """Somebody in the guest."""

    async def set_clock(self) -> None:
        """Set the machine's clock."""

    async def write(self, *, fails: int = 0) -> None:
        """Write two blocks of 4 KiB to the disk vdb, some time after this returns.

        Args:
            fails: With which error the host answers, once; 0 for none.
        """

    async def let_watchdog_expire(self) -> None:
        """Start the watchdog and do not feed it, some time after this returns."""


class Stage:
    """A domain whose guest is up, and what is announced of it."""

    def __init__(self, domain: Domain, events: Subscription, doer: Doer) -> None:
        self.domain = domain
        self.doer = doer
        self.told: list[str] = []
        self._events = events

    async def hear(self, count: int) -> None:
        """Wait for so many events; of the agent's coming and going others tell."""
        wanted = len(self.told) + count
        while len(self.told) < wanted:
            event = (await self._events.receive()).event
            if isinstance(event, DomainEvent) and not isinstance(event, AgentStateChanged):
                self.told.append(line(event))


async def play(stage: Stage) -> None:
    """The story."""
    domain, doer = stage.domain, stage.doer
    life = domain.running_life()
    await doer.set_clock()
    await stage.hear(1)
    await domain.update_device(EMPTY)
    await stage.hear(2)
    await life.execute(
        "device_add", {"driver": "virtio-balloon-pci", "id": "balloon0", "bus": "pci.8"}
    )
    await trio.sleep(2)  # until the guest drives it
    await life.execute("balloon", {"value": 200 * MIB})
    await stage.hear(2)
    await domain.set_block_threshold("vdb", 4096)
    await doer.write()
    await stage.hear(1)
    await doer.write(fails=errno.ENOSPC)
    await stage.hear(2)
    assert str(domain.status) == "paused (ioerror)"
    await domain.resume()  # and what had failed is tried again
    await stage.hear(1)
    await doer.write(fails=errno.EIO)
    await stage.hear(1)
    assert str(domain.status) == "running (unpaused)"
    await domain.block_pull("vdb")
    await stage.hear(1)
    await domain.set_block_io_tune("vdb", {"total_iops_sec": 500})
    await stage.hear(1)
    await doer.let_watchdog_expire()
    await stage.hear(2)
    assert str(domain.status) == "paused (watchdog)"
    await domain.resume()
    await stage.hear(1)
    await domain.agent.shutdown(GuestShutdownMode.REBOOT)
    await stage.hear(1)


def definition(folder: str, boot: str, emulator: str = "") -> str:
    ports = "".join(
        f"<controller type='pci' index='{number}' model='pcie-root-port'/>"
        for number in range(1, 9)
    )
    disks = "".join(
        f"""<disk type='file' device='disk'><driver name='qemu' type='raw'/>
        <source file='{folder}/{name}'/><target dev='{name}' bus='virtio'/></disk>"""
        for name in ("vda", "vdb")
    )
    return f"""<domain type='qemu'><name>demo</name>
    <uuid>5f6a7b80-9000-4000-8000-00000000000a</uuid><memory unit='MiB'>256</memory>
    <os><type machine='q35'>hvm</type>{boot}</os>
    <devices>{emulator}<serial type='file'><source path='{folder}/console'/></serial>
    <controller type='pci' index='0' model='pcie-root'/>{ports}
    <controller type='scsi' model='virtio-scsi'/>{disks}
    <disk type='file' device='cdrom'><driver name='qemu' type='raw'/>
    <source file='{folder}/cd'/><target dev='sda' bus='scsi'/></disk>
    <watchdog model='i6300esb' action='pause'/>
    <channel type='unix'><source mode='bind' path='{folder}/agent'/>
    <target type='virtio' name='org.qemu.guest_agent.0'/></channel></devices></domain>"""


@asynccontextmanager
async def started(
    xml: str, uri: str, host: Host | None = None
) -> AsyncGenerator[tuple[Domain, Subscription]]:
    """The domain, started, with its agent there."""
    with trio.fail_after(PATIENCE_S):
        async with open_hypervisor(uri, host=host, destroy_on_exit=True) as hypervisor:
            domain = await hypervisor.define(xml)
            _, events = hypervisor.subscribe()
            await domain.start()
            async for record in events:
                event = record.event
                if isinstance(event, AgentStateChanged) and event.state is AgentState.CONNECTED:
                    break
            yield domain, events


# -- the real arm ---------------------------------------------------------------------------------

# The Intel 6300ESB: two timers of 10 ms each, every register unlocked before it is written; bit 1
# of the lock register, which is in its configuration space, starts it.
EXPIRE = """
for one in /sys/bus/pci/devices/*; do
    if [ $(cat $one/device) = 0x25ab ]; then dog=$one; fi
done
echo 1 > $dog/enable
set -- $(head -1 $dog/resource)
unlock() { devmem $(($1 + 12)) 16 0x80; devmem $(($1 + 12)) 16 0x86; }
unlock $1; devmem $1 32 10
unlock $1; devmem $(($1 + 4)) 32 10
unlock $1; devmem $(($1 + 12)) 16 0x100
printf '\\002' | dd of=$dog/config bs=1 seek=104 conv=notrunc
"""

# Behind the disk vdb is a node that fails the second write, and the fourth: the third is the second
# one, tried again.
WRAPPER = """\
#!/usr/bin/python3
import json, os, sys
def failing(node):
    rules = [{"event": "write_aio", "state": number, "errno": code, "once": True}
             for number, code in ((2, 28), (4, 5))]
    steps = [{"event": "write_aio", "state": number, "new_state": number + 1}
             for number in range(1, 5)]
    file = {"driver": "file", "filename": node["filename"]}
    return {"driver": "blkdebug", "node-name": node["node-name"], "image": file,
            "inject-error": rules, "set-state": steps}
words = sys.argv[1:]
for place, word in enumerate(words):
    if words[place - 1] == "-blockdev":
        node = json.loads(word)
        if node["node-name"] == "virtio-disk1-storage":
            words[place] = json.dumps(failing(node))
os.execvp("qemu-system-x86_64", ["qemu-system-x86_64", *words])
"""


@attrs.frozen
class RealDoer:
    """Programs that the agent runs."""

    domain: Domain

    async def _soon(self, script: str) -> None:
        """Nobody waits for it: the processors may stand still before it has ended."""
        done = await self.domain.agent.run("sh", ["-c", f"(sleep 0.3; {script}) > /run/log 2>&1 &"])
        assert done.exit_code == 0

    async def set_clock(self) -> None:
        await self._soon("hwclock -w")

    async def write(self, *, fails: int = 0) -> None:
        del fails  # which of the writes fail was decided beforehand
        await self._soon("dd if=/dev/zero of=/dev/vdb bs=8192 count=1 oflag=direct")

    async def let_watchdog_expire(self) -> None:
        await self._soon(EXPIRE)


@pytest.mark.real_qemu
async def test_a_real_guest_s_doings_are_announced(agent_guest: Guest, tmp_path: Path) -> None:
    wrapper = tmp_path / "qemu"
    wrapper.write_text(WRAPPER)
    wrapper.chmod(0o700)
    for name in ("vda", "vdb", "cd"):
        (tmp_path / name).write_bytes(bytes(BYTES))
    boot = (
        f"<kernel>{agent_guest.kernel}</kernel><initrd>{agent_guest.initrd}</initrd>"
        f"<cmdline>{agent_guest.cmdline}</cmdline>"
    )
    xml = definition(str(tmp_path), boot, f"<emulator>{wrapper}</emulator>")
    async with started(xml, f"qemu:///embed?root={tmp_path}/vms") as (domain, events):
        stage = Stage(domain, events, RealDoer(domain))
        await play(stage)
        assert stage.told == EXPECTED


# -- the simulated arm ----------------------------------------------------------------------------


@attrs.frozen
class SimulatedDoer:
    """The simulated guest of a host's newest QEMU."""

    host: SimHost

    async def set_clock(self) -> None:
        self.host.processes()[-1].qemu.guest.act(GuestAction.SET_CLOCK)

    async def write(self, *, fails: int = 0) -> None:
        qemu = self.host.processes()[-1].qemu
        drive = qemu.machine.tree.drives.of_device("virtio-disk1")
        drive.errno = fails
        qemu.guest.write("virtio-disk1", 8192)
        drive.errno = 0

    async def let_watchdog_expire(self) -> None:
        self.host.processes()[-1].qemu.guest.act(GuestAction.LET_WATCHDOG_EXPIRE)


async def test_the_simulated_guest_s_doings_are_announced_alike(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_sim_host(HostPlan(has_guest_agent=True)) as host:
        for name in ("/boot/vmlinuz", "/images/vda", "/images/vdb", "/images/cd"):
            host.add_file(name)
        xml = definition("/images", "<kernel>/boot/vmlinuz</kernel>")
        async with started(xml, "qemu:///embed?root=/vms", host) as (domain, events):
            host.processes()[-1].qemu.guest.has_balloon = True
            stage = Stage(domain, events, SimulatedDoer(host))
            await play(stage)
            assert stage.told == EXPECTED
