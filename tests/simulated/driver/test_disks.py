"""What is said of disks besides their images: limits, marks, and images that are not there."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pyvirt_sim.host import SimHost, open_sim_host
from pyvirt_trio import (
    CommandFailedError,
    DefinitionError,
    Domain,
    DomainEvent,
    HostError,
    Hypervisor,
    Impact,
    Subscription,
    open_hypervisor,
)
from pyvirt_trio.errors import ErrorCode
from pyvirt_trio.models import Disk
from pyvirt_trio.models.events import DiskChanged, DiskChangeReason, TrayMoved, TunableChanged
from pyvirt_trio.models.iotune import IoTune
from pyvirt_trio.xml.devices import parse_device
from tests.simulated.driver.world import URI, Clock

STORAGE = "virtio-disk0-storage"
SCSI = "<controller type='scsi' model='virtio-scsi'/>"


def disk_xml(target: str, bus: str, policy: str = "", more: str = "") -> str:
    kind = "cdrom" if bus == "cdrom" else "disk"
    attribute = f" startupPolicy='{policy}'" if policy else ""
    return f"""<disk type='file' device='{kind}'><driver name='qemu' type='raw'/>
    <source file='/images/{target}'{attribute}/>
    <target dev='{target}' bus='{"scsi" if bus == "cdrom" else bus}'/>{more}</disk>"""


def domain_xml(*disks: str) -> str:
    return f"""<domain type='qemu'>
    <name>demo</name><uuid>5f6a7b80-9000-4000-8000-000000000009</uuid>
    <memory unit='MiB'>64</memory><os><type machine='q35'>hvm</type></os>
    <devices>{SCSI}{"".join(disks)}<controller type='usb' model='qemu-xhci'/></devices></domain>"""


@asynccontextmanager
async def defined(
    *disks: str, images: tuple[str, ...] = ("vda", "sda", "sdb")
) -> AsyncGenerator[tuple[Hypervisor, Domain, Subscription]]:
    async with open_sim_host() as host:
        for name in images:
            host.add_file(f"/images/{name}")
        async with open_hypervisor(URI, host=host) as hypervisor:
            domain = await hypervisor.define(domain_xml(*disks))
            _, events = hypervisor.subscribe()
            yield hypervisor, domain, events


def told(hypervisor: Hypervisor, events: Subscription) -> list[DomainEvent]:
    found: list[DomainEvent] = []
    while events.sequence < hypervisor.journal.sequence:
        event = events.receive_nowait().event
        assert isinstance(event, DomainEvent)
        found.append(event)
    return found


def limits(host: SimHost) -> list[dict[str, Any]]:
    """What each drive of the newest QEMU may do, by QEMU's names."""
    drives = host.processes()[-1].qemu.machine.tree.drives
    return [dict(drive.limits) for drive in drives.all()]


# -- limits ---------------------------------------------------------------------------------------


ON_EVERY_BUS = (disk_xml("vda", "virtio"), disk_xml("sda", "scsi"), disk_xml("sdb", "usb"))


@pytest.mark.parametrize("target", ["vda", "sda", "sdb"])
async def test_limits_are_announced_and_in_the_definition_and_last_a_life(
    autojump_clock: Clock, target: str
) -> None:
    async with defined(*ON_EVERY_BUS) as (hypervisor, domain, events):
        await domain.start()
        told(hypervisor, events)
        await domain.set_block_io_tune(target, {"total_bytes_sec": 1000, "read_iops_sec": 5})
        expected = TunableChanged(
            domain="demo",
            uuid=domain.uuid,
            life=1,
            parameters=(
                ("blkdeviotune.disk", target),
                ("blkdeviotune.total_bytes_sec", 1000),
                ("blkdeviotune.read_iops_sec", 5),
            ),
        )
        assert [expected] == told(hypervisor, events)
        assert IoTune(total_bytes_sec=1000, read_iops_sec=5) == domain.block_io_tune(target)
        assert "<total_bytes_sec>1000</total_bytes_sec>" in domain.xml()
        assert domain.block_io_tune(target, inactive=True) == IoTune()
        host = hypervisor.host
        assert isinstance(host, SimHost)
        assert {"bps": 1000, "iops_rd": 5} in limits(host)
        await domain.destroy()
        assert domain.block_io_tune(target) == IoTune()


async def test_limits_of_the_definition_hold_from_the_start_and_for_what_is_plugged_in(
    autojump_clock: Clock,
) -> None:
    tuned = disk_xml("vda", "virtio", more="<iotune><write_iops_sec>7</write_iops_sec></iotune>")
    async with defined(disk_xml("sda", "scsi")) as (hypervisor, domain, events):
        host = hypervisor.host
        assert isinstance(host, SimHost)
        await domain.set_block_io_tune("sda", {"total_iops_sec": 9, "size_iops_sec": 4096})
        assert told(hypervisor, events) == []  # nothing running has changed
        await domain.start()
        assert limits(host) == [{"iops": 9, "iops_size": 4096}]
        await domain.attach_device(tuned)
        assert {"iops_wr": 7} in limits(host)
        both = Impact.LIVE | Impact.CONFIG
        await domain.set_block_io_tune("sda", {"total_iops_sec": 0, "size_iops_sec": 0}, both)
        assert domain.block_io_tune("sda", inactive=True) == domain.block_io_tune("sda") == IoTune()
        assert [one for one in limits(host) if one] == [{"iops_wr": 7}]


def test_one_limit_of_a_family_sets_the_whole_family_and_no_other() -> None:
    tune = IoTune().changed({"total_bytes_sec": 10, "write_iops_sec": 3})
    tune = tune.changed({"read_bytes_sec": 5, "read_bytes_sec_max": 9, "group_name": "g"})
    expected = IoTune(read_bytes_sec=5, read_bytes_sec_max=9, write_iops_sec=3, group_name="g")
    assert expected == tune
    tune = tune.changed({"read_bytes_sec_max_length": 4})
    assert tune.changed({"read_bytes_sec_max_length": 0}).read_bytes_sec_max_length == 1


@pytest.mark.parametrize(
    ("code", "words", "changes"),
    [
        (8, "of bytes_sec cannot be set", {"total_bytes_sec": 1, "read_bytes_sec": 1}),
        (8, "of iops_sec cannot be set", {"total_iops_sec": 1, "write_iops_sec": 1}),
        (67, "'read_iops_sec_max' cannot be smaller", {"read_iops_sec": 5, "read_iops_sec_max": 4}),
        (67, "cannot reset 'read_iops_sec'", {"read_iops_sec_max": 4}),
        (67, "iops size requires an iops value", {"total_bytes_sec": 1, "size_iops_sec": 4}),
        (67, "needs 'total_iops_sec_max'", {"total_iops_sec": 1, "total_iops_sec_max_length": 2}),
        (8, "there is no limit 'speed'", {"speed": 1}),
        (8, "must be a number from 0 to 1000000000000000", {"total_bytes_sec": -1}),
        (74, "must be no more than 1000000000000000", {"total_bytes_sec": 10**15 + 1}),
        (8, "a group's name is a text", {"group_name": 1}),
    ],
)
async def test_limits_that_qemu_would_refuse_are_refused_before_anything_is_sent(
    autojump_clock: Clock, code: int, words: str, changes: dict[str, Any]
) -> None:
    async with defined(disk_xml("vda", "virtio")) as (hypervisor, domain, events):
        for impact in (Impact.CONFIG, Impact.LIVE):
            with pytest.raises(DefinitionError, match=words) as refusal:
                await domain.set_block_io_tune("vda", changes, impact)
            assert refusal.value.code == code
            if domain.view.live is None:
                await domain.start()
                told(hypervisor, events)
        assert told(hypervisor, events) == []
        with pytest.raises(DefinitionError, match="disk 'vdb' not found in domain"):
            await domain.set_block_io_tune("vdb", {"total_bytes_sec": 1})


async def test_a_drive_without_a_medium_has_no_limits(autojump_clock: Clock) -> None:
    empty = "<disk type='file' device='cdrom'><target dev='sda' bus='scsi'/></disk>"
    async with defined(empty) as (hypervisor, domain, events):
        await domain.start()
        told(hypervisor, events)
        with pytest.raises(CommandFailedError, match="has no medium"):
            await domain.set_block_io_tune("sda", {"total_bytes_sec": 1})
        assert told(hypervisor, events) == []
        assert domain.block_io_tune("sda") == IoTune()


# -- images that are not there --------------------------------------------------------------------


async def test_a_start_goes_on_without_what_may_be_missing_and_says_so(
    autojump_clock: Clock,
) -> None:
    disks = (
        disk_xml("vda", "virtio", "mandatory"),
        disk_xml("vdb", "virtio", "optional"),
        disk_xml("sdb", "cdrom", "optional"),
        disk_xml("sda", "cdrom", "optional"),
    )
    async with defined(*disks) as (hypervisor, domain, events):
        await domain.start()
        live = domain.view.live
        assert live is not None
        expected = DiskChanged(
            domain="demo",
            uuid=domain.uuid,
            life=1,
            alias="virtio-disk1",
            old_source="/images/vdb",
            new_source=None,
            reason=DiskChangeReason.DROP_MISSING_ON_START,
        )
        kinds = told(hypervisor, events)
        assert expected == kinds[0]
        assert [type(event).__name__ for event in kinds[1:]] == ["DomainResumed", "DomainStarted"]
        assert "vdb" not in domain.xml()
        assert "vdb" in domain.xml(inactive=True)


async def test_a_drive_is_left_without_its_medium(autojump_clock: Clock) -> None:
    async with defined(disk_xml("sda", "cdrom", "optional"), images=()) as (
        hypervisor,
        domain,
        events,
    ):
        await domain.start()
        expected = DiskChanged(
            domain="demo",
            uuid=domain.uuid,
            life=1,
            alias="scsi0-0-0-0",
            old_source="/images/sda",
            new_source=None,
            reason=DiskChangeReason.MISSING_ON_START,
        )
        assert expected == told(hypervisor, events)[0]
        assert "/images/sda" not in domain.xml()
        assert "/images/sda' startupPolicy='optional'" in domain.xml(inactive=True)


@pytest.mark.parametrize("policy", ["", "mandatory", "requisite"])
async def test_what_must_be_there_fails_the_start(autojump_clock: Clock, policy: str) -> None:
    async with defined(disk_xml("sda", "cdrom", policy), images=()) as (hypervisor, domain, events):
        words = "Cannot access storage file" if policy else "Could not open"
        with pytest.raises(HostError, match=f"{words} '/images/sda'"):
            await domain.start()
        assert told(hypervisor, events) == []


async def test_a_requisite_medium_may_be_missing_when_a_saved_machine_goes_on(
    autojump_clock: Clock,
) -> None:
    async with defined(disk_xml("sda", "cdrom", "requisite"), images=("sda",)) as (
        hypervisor,
        domain,
        events,
    ):
        await domain.start()
        await domain.managed_save()
        await hypervisor.host.remove_file("/images/sda")
        told(hypervisor, events)
        await domain.start()
        changes = [one for one in told(hypervisor, events) if isinstance(one, DiskChanged)]
        assert [one.reason for one in changes] == [DiskChangeReason.MISSING_ON_START]


def test_only_a_drive_can_be_requisite() -> None:
    with pytest.raises(DefinitionError, match="'requisite' is not allowed") as refusal:
        parse_device(disk_xml("vda", "virtio", "requisite"))
    assert refusal.value.code is ErrorCode.XML_ERROR


async def test_a_drive_on_sata_takes_another_medium_or_none(autojump_clock: Clock) -> None:
    drive = disk_xml("sda", "cdrom").replace("bus='scsi'", "bus='sata'")
    async with defined(drive) as (hypervisor, domain, events):
        await domain.start()
        for wanted in ("/images/sdb", None):
            told(hypervisor, events)
            source = "" if wanted is None else f"<source file='{wanted}'/>"
            await domain.update_device(drive.replace("<source file='/images/sda'/>", source))
            device = domain.definition.device("sata0-0-0")
            assert isinstance(device, Disk)
            assert device.source_file == wanted
            moved = [one.alias for one in told(hypervisor, events) if isinstance(one, TrayMoved)]
            assert moved == ["sata0-0-0", "sata0-0-0"]


async def test_a_medium_on_usb_stays_and_qemu_says_why(autojump_clock: Clock) -> None:
    drive = disk_xml("sda", "cdrom").replace("bus='scsi'", "bus='usb'")
    async with defined(drive) as (_, domain, _):
        await domain.start()
        before = domain.view
        with pytest.raises(CommandFailedError) as caught:
            await domain.update_device(drive.replace("/images/sda", "/images/sdb"))
        part = "/machine/peripheral/usb-disk0/usb-disk0.0/legacy[0]"
        assert caught.value.libvirt_text == (
            "internal error: unable to execute QEMU command 'blockdev-remove-medium': "
            f"Device '{part}' is not removable"
        )
        assert before == domain.view


@pytest.mark.parametrize("impact", [Impact.LIVE, Impact.CONFIG, Impact.LIVE | Impact.CONFIG])
async def test_what_snapshots_do_with_a_disk_can_be_changed(
    impact: Impact, autojump_clock: Clock
) -> None:
    disk = disk_xml("vda", "virtio")
    async with defined(disk) as (_, domain, _):
        await domain.start()
        wanted = disk.replace("device='disk'", "device='disk' snapshot='external'")
        await domain.update_device(wanted, impact)
        found = ["snapshot='external'" in domain.xml(inactive=one) for one in (False, True)]
        assert found == [Impact.LIVE in impact, Impact.CONFIG in impact]


# -- images ---------------------------------------------------------------------------------------


async def test_of_two_nodes_that_are_asked_for_at_once_none_is_left_when_the_first_fails(
    autojump_clock: Clock,
) -> None:
    """QEMU makes the second all the same, where somebody else's node has the first one's name."""
    async with defined(images=("vda",)) as (hypervisor, domain, _):
        await domain.start()
        host = hypervisor.host
        assert isinstance(host, SimHost)
        nodes = host.processes()[-1].qemu.machine.tree.blocks
        nodes.add({"driver": "file", "filename": "/images/vda", "node-name": STORAGE})
        with pytest.raises(CommandFailedError, match=STORAGE):
            await domain.attach_device(disk_xml("vda", "virtio"))
        assert [node.name for node in nodes.all()] == [STORAGE]
        assert "virtio-disk0" not in domain.xml()
