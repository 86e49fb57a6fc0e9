"""Saved machines on a real QEMU, whose firmware is the guest."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from pyvirt_trio import Domain, HostError, Hypervisor, Subscription, open_hypervisor
from tests.conformance.driver.test_modification import DOMAIN

pytestmark = pytest.mark.real_qemu

PATIENCE_S = 60
COPIED = ["MigrationIterated", "MigrationIterated", "JobCompleted"]
"""A machine that stands still is gone through once, and looked through once more."""
SAVED = ["DomainSuspended.PAUSED", *COPIED, "DomainStopped.SAVED"]


@asynccontextmanager
async def running(root: Path) -> AsyncGenerator[tuple[Hypervisor, Domain, Subscription]]:
    with trio.fail_after(PATIENCE_S):
        async with open_hypervisor(
            f"qemu:///embed?root={root}/it's my vms", destroy_on_exit=True
        ) as hypervisor:
            domain = await hypervisor.define(DOMAIN)
            await domain.start()
            _, events = hypervisor.subscribe()
            yield hypervisor, domain, events


def files(folder: Path, pattern: str) -> list[str]:
    return [path.name for path in folder.glob(pattern)]


async def told(events: Subscription, count: int) -> list[str]:
    found = [(await events.receive()).event for _ in range(count)]
    details = [getattr(one, "detail", None) for one in found]
    names = [type(one).__name__ for one in found]
    return [
        name if detail is None else f"{name}.{detail.name}"
        for name, detail in zip(names, details, strict=True)
    ]


async def test_a_machine_is_saved_and_restored_with_what_was_plugged_in(tmp_path: Path) -> None:
    async with running(tmp_path) as (hypervisor, domain, events):
        await domain.attach_device("<input type='mouse' bus='usb'/>")
        live = domain.view.live
        await events.receive()
        image = str(tmp_path / "an 'image'")
        await domain.save(image)
        assert await told(events, 5) == SAVED
        assert files(tmp_path, "*image*") == ["an 'image'"]
        await hypervisor.restore_domain(image)
        assert await told(events, 2) == ["DomainStarted.RESTORED", "DomainResumed.FROM_SNAPSHOT"]
        assert domain.view.live == live
        await domain.detach_device("input2")


async def test_a_damaged_stream_is_refused_with_qemu_s_words(tmp_path: Path) -> None:
    async with running(tmp_path) as (_hypervisor, domain, _events):
        await domain.managed_save()
        assert files(tmp_path, "*/save/*") == ["demo.save"]
        image = tmp_path / "it's my vms" / "save" / "demo.save"
        whole = image.read_bytes()
        image.write_bytes(whole[:-1])
        with pytest.raises(HostError, match="it has"):
            await domain.start()
        image.write_bytes(whole.replace(b"QEVM", b"QEVN"))
        with pytest.raises(HostError, match="Not a migration stream"):
            await domain.start()
        image.write_bytes(whole)
        await domain.start()
        assert str(domain.status) == "running (restored)"
        assert files(tmp_path, "*/save/*") == []


async def test_a_save_that_fails_lets_the_machine_go_on(tmp_path: Path) -> None:
    async with running(tmp_path) as (_hypervisor, domain, events):
        with pytest.raises(HostError):
            await domain.save("/dev/full/image")
        assert await told(events, 2) == ["DomainSuspended.PAUSED", "DomainResumed.UNPAUSED"]
        assert str(domain.status) == "running (save canceled)"
        await domain.save(str(tmp_path / "image"))


async def test_a_tray_that_was_open_is_known_to_be_after_a_restore(tmp_path: Path) -> None:
    async with running(tmp_path) as (hypervisor, domain, _events):
        drive = "<disk type='file' device='cdrom'><target dev='sdp' bus='scsi'/></disk>"
        alias = (await domain.attach_device(drive)).alias
        assert alias is not None
        await domain.running_life().execute("blockdev-open-tray", {"id": alias})
        assert domain.view.open_trays == {alias}
        await domain.save(str(tmp_path / "image"))
        assert domain.view.open_trays == set()
        restored = await hypervisor.restore_domain(str(tmp_path / "image"))
        assert restored.view.open_trays == {alias}
