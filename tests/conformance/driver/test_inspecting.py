"""Cores, keys and numbers of a real QEMU, whose firmware is the guest."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyvirt_trio import HostError
from pyvirt_trio.models.keys import QEMU_KEYS
from tests.conformance.driver.test_saving import running, told

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
