"""Cores, keys and numbers of a real QEMU, whose firmware is the guest."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import trio
import trio.lowlevel

from pyvirt_trio import HostError
from pyvirt_trio.models.jobs import JobInfo, JobOperation, JobType
from pyvirt_trio.models.keys import QEMU_KEYS
from tests.conformance.driver.test_saving import COPIED, running, told

pytestmark = pytest.mark.real_qemu

DISK = "<disk><source file='{}'/><target dev='sdp' bus='scsi'/></disk>"


async def test_a_core_is_an_elf_file_of_the_guest_s_memory(tmp_path: Path) -> None:
    async with running(tmp_path) as (_hypervisor, domain, events):
        core = tmp_path / "core"
        await domain.core_dump(str(core))
        assert await told(events, 2) == ["DomainSuspended.PAUSED", "DomainResumed.UNPAUSED"]
        assert core.read_bytes()[:4] == b"\x7fELF"
        assert core.stat().st_size > 64 << 20
        with pytest.raises(HostError, match="No such file or directory"):
            await domain.core_dump("/nowhere/core", live=True)


async def test_a_job_tells_how_far_qemu_is(tmp_path: Path) -> None:
    async with running(tmp_path) as (_hypervisor, domain, events):
        dump = tmp_path / "dump"
        seen: list[JobInfo] = []

        async def watch() -> None:
            while (info := await domain.job_info()).type is not JobType.NONE:
                seen.append(info)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(domain.core_dump, str(dump), memory_only=False))
            while domain.job.active_async is None:
                await trio.lowlevel.checkpoint()
            nursery.start_soon(watch)
        assert await told(events, 5) == [
            "DomainSuspended.PAUSED",
            *COPIED,
            "DomainResumed.UNPAUSED",
        ]
        assert dump.read_bytes()[:4] == b"QEVM"
        assert {one.operation for one in seen} == {JobOperation.DUMP}
        info = await domain.job_info(completed=True)
        assert (info.type, info.number("memory_remaining")) == (JobType.COMPLETED, 0)
        assert info.number("memory_total") > 64 << 20
        assert 0 < info.number("memory_processed") <= dump.stat().st_size
        assert any(one.number("memory_remaining") > 0 for one in seen)


async def test_every_key_is_one_of_qemu_s(tmp_path: Path) -> None:
    async with running(tmp_path) as (_hypervisor, domain, _events):
        for first in range(0, len(QEMU_KEYS), 16):
            await domain.send_keys(list(QEMU_KEYS)[first : first + 16], hold_ms=1)
        await domain.inject_nmi()


async def test_numbers_are_those_of_qemu_and_of_the_kernel(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(1 << 20))
    async with running(tmp_path) as (_hypervisor, domain, _events):
        await domain.attach_device(DISK.format(image))
        found = await domain.statistics()
        assert (found["state.state"], found["block.count"]) == (1, 1)
        assert found["block.0.path"] == str(image)
        assert found["block.0.wr.reqs"] == 0
        assert int(found["cpu.time"]) > 0
        assert int(found["vcpu.0.time"]) <= int((await domain.statistics())["cpu.time"])
        assert 1024 < int(found["balloon.rss"]) < 2 << 20
        assert (await domain.info()).cpu_time_ns > 0
