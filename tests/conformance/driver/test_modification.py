"""Changes of the running machine, of the persistent definition and of both, on a real QEMU.

No guest is needed: USB and SCSI devices leave without being asked, and QEMU changes media itself.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from pyvirt_trio import (
    DefinitionError,
    DeviceAdded,
    Domain,
    HostError,
    Impact,
    open_hypervisor,
)

pytestmark = pytest.mark.real_qemu

PATIENCE_S = 30
BOTH = Impact.LIVE | Impact.CONFIG
MOUSE = "<input type='mouse' bus='usb'/>"
CARD = "<interface type='user'><model type='virtio'/></interface>"
DRIVE = """
<disk type='file' device='cdrom'>
  <driver name='qemu' type='raw'/>{source}<target dev='sda' bus='scsi'/><readonly/>
</disk>"""
DOMAIN = """
<domain type='qemu'>
  <name>demo</name><memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices>
    <controller type='usb' index='0' model='qemu-xhci'/>
    <controller type='scsi' index='0' model='virtio-scsi'/>
    <controller type='pci' index='1' model='pcie-root-port'/>
    <controller type='pci' index='2' model='pcie-root-port'/>
    <controller type='pci' index='3' model='pcie-root-port'/>
    <controller type='pci' index='4' model='pcie-root-port'/>
  </devices>
</domain>"""


@asynccontextmanager
async def paused_domain(root: Path) -> AsyncGenerator[Domain]:
    with trio.fail_after(PATIENCE_S):
        async with open_hypervisor(
            f"qemu:///embed?root={root}/vms", destroy_on_exit=True
        ) as hypervisor:
            domain = await hypervisor.define(DOMAIN)
            await domain.start(paused=True)
            yield domain
            await domain.destroy()


def drive(path: Path | None) -> str:
    return DRIVE.format(source="" if path is None else f"<source file='{path}'/>")


async def medium(domain: Domain) -> str | None:
    """What QEMU says is in the drive."""
    [block] = await domain.running_life().execute("query-block")
    inserted: dict[str, Any] | None = block.get("inserted")
    assert block["tray_open"] is False
    return None if inserted is None else inserted["file"]


async def test_a_medium_is_put_in_changed_and_taken_out(tmp_path: Path) -> None:
    first, second = tmp_path / "first.iso", tmp_path / "second.iso"
    for image in (first, second):
        image.write_bytes(bytes(4096))
    async with paused_domain(tmp_path) as domain:
        await domain.attach_device(drive(None), BOTH)
        assert await medium(domain) is None
        for path in (first, second):
            await domain.update_device(drive(path), BOTH)
            assert await medium(domain) == str(path)
            assert f"file='{path}'" in domain.xml()
            assert f"file='{path}'" in domain.xml(inactive=True)
        with pytest.raises(HostError, match="No such file"):
            await domain.update_device(drive(tmp_path / "missing.iso"), BOTH)
        assert await medium(domain) == str(second)
        assert f"file='{second}'" in domain.xml()
        assert f"file='{second}'" in domain.xml(inactive=True)
        await domain.update_device(drive(None))
        assert await medium(domain) is None
        assert ".iso" not in domain.xml()
        assert f"file='{second}'" in domain.xml(inactive=True)


async def test_a_link_goes_down_and_up(tmp_path: Path) -> None:
    async with paused_domain(tmp_path) as domain:
        card = await domain.attach_device(CARD)
        down = CARD.replace("</interface>", "<link state='down'/></interface>")
        await domain.update_device(down)
        assert "<link state='down'/>" in domain.xml()
        await domain.update_device(CARD)
        assert "<link" not in domain.xml()
        assert card.alias == "net0"


async def test_attach_and_detach_change_what_they_are_told(tmp_path: Path) -> None:
    async with paused_domain(tmp_path) as domain:
        await domain.attach_device(MOUSE)
        assert ("mouse" in domain.xml(), "mouse" in domain.xml(inactive=True)) == (True, False)
        await domain.attach_device(MOUSE.replace("mouse", "tablet"), Impact.CONFIG)
        assert ("tablet" in domain.xml(), "tablet" in domain.xml(inactive=True)) == (False, True)
        await domain.attach_device(MOUSE.replace("mouse", "keyboard"), BOTH)
        await domain.detach_device(MOUSE.replace("mouse", "keyboard"), BOTH)
        assert "keyboard" not in domain.xml() + domain.xml(inactive=True)
        await domain.detach_device(MOUSE)
        await domain.detach_device(MOUSE.replace("mouse", "tablet"), Impact.CONFIG)
        assert "<input" not in domain.xml() + domain.xml(inactive=True)


async def test_a_card_has_one_mac_in_both_and_starts_as_it_is_written(tmp_path: Path) -> None:
    async with paused_domain(tmp_path) as domain:
        card = await domain.attach_device(CARD, BOTH)
        mac = f"address='{card.mac}'"  # type: ignore[attr-defined]
        assert mac in domain.xml()
        assert mac in domain.xml(inactive=True)
        await domain.destroy()
        await domain.start(paused=True)
        assert mac in domain.xml()


async def test_a_missing_image_leaves_the_persistent_definition(tmp_path: Path) -> None:
    async with paused_domain(tmp_path) as domain:
        before = domain.view
        missing = "<disk><source file='/no/such/image'/><target dev='sda' bus='usb'/></disk>"
        with pytest.raises(HostError, match="No such file"):
            await domain.attach_device(missing, BOTH)
        assert domain.view == before


async def test_a_scsi_disk_brings_its_controller_which_stays_busy_until_it_leaves(
    tmp_path: Path,
) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(4096))
    disk = f"<disk><source file='{image}'/><target dev='sdp' bus='scsi'/></disk>"
    async with paused_domain(tmp_path) as domain:
        _, events = domain.hypervisor.subscribe()
        assert (await domain.attach_device(disk)).alias == "scsi1-0-0-0"
        added = [(await events.receive()).event for _ in range(2)]
        assert [event.alias for event in added if isinstance(event, DeviceAdded)] == [
            "scsi1",
            "scsi1-0-0-0",
        ]
        with pytest.raises(DefinitionError, match="device is busy"):
            await domain.detach_device("scsi1")
        await domain.detach_device("scsi1-0-0-0")
        assert "scsi1-0-0-0" not in domain.xml()
