"""Jobs on disks: what is announced, what is refused, and what a new manager makes of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio

from pyvirt_sim.host import SimHost, open_sim_host
from pyvirt_sim.qemu.image_head import ImageHead
from pyvirt_trio import (
    CommandFailedError,
    DefinitionError,
    Domain,
    InvalidStateError,
    Subscription,
    open_hypervisor,
)
from pyvirt_trio.errors import ErrorCode
from pyvirt_trio.models.block_jobs import BlockJobInfo
from pyvirt_trio.models.events import BlockJobChanged, BlockJobStatus, BlockJobType
from tests.simulated.driver.world import URI, Clock

MIB = 1 << 20
XML = """
<domain type='qemu'>
  <name>demo</name><uuid>5f6a7b80-9000-4000-8000-000000000008</uuid>
  <memory unit='MiB'>64</memory><os><type machine='q35'>hvm</type></os>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2'/>
      <source file='/images/top'/><target dev='vda' bus='virtio'/></disk>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/>
      <source file='/images/plain'/><target dev='vdb' bus='virtio'/></disk>
  </devices>
</domain>"""


@asynccontextmanager
async def running() -> AsyncGenerator[tuple[SimHost, Domain, Subscription]]:
    """A domain with an image of 4 MiB on top of another one, and a plain one."""
    async with open_sim_host() as host:
        host.add_file("/images/base")
        host.add_file("/images/plain")
        host.add_file("/images/top", ImageHead(4 * MIB, "/images/base").encode())
        async with open_hypervisor(URI, host=host) as hypervisor:
            domain = await hypervisor.define(XML)
            await domain.start()
            _, events = hypervisor.subscribe()
            yield host, domain, events


async def next_change(events: Subscription) -> BlockJobChanged:
    async for record in events:
        if isinstance(record.event, BlockJobChanged):
            return record.event
    raise AssertionError("a subscription does not end")


def change(
    domain: Domain, status: BlockJobStatus, target: str = "vda", path: str = "/images/top"
) -> BlockJobChanged:
    return BlockJobChanged(
        domain="demo",
        uuid=domain.uuid,
        life=1,
        path=path,
        target=target,
        type=BlockJobType.PULL,
        status=status,
    )


async def test_whoever_hears_of_the_end_can_begin_the_next_job_at_once(
    autojump_clock: Clock,
) -> None:
    async with running() as (_, domain, events):
        for _ in range(3):
            await domain.block_pull("vda")
            assert change(domain, BlockJobStatus.COMPLETED) == await next_change(events)
            assert await domain.block_job_info("vda") is None
        await domain.block_pull("/images/plain")  # nothing to do: it ends before it is answered
        expected = change(domain, BlockJobStatus.COMPLETED, "vdb", "/images/plain")
        assert expected == await next_change(events)


async def test_a_job_is_told_of_slowed_down_and_aborted(autojump_clock: Clock) -> None:
    async with running() as (_, domain, events):
        start_s = trio.current_time()
        await domain.block_pull("vda", bytes_per_s=MIB)
        await trio.sleep(1)
        info = await domain.block_job_info("vda")
        assert info == BlockJobInfo(
            type=BlockJobType.PULL, done=MIB * 3 // 2, total=4 * MIB, bytes_per_s=MIB
        )
        await domain.block_job_set_speed("vda", 10)
        await trio.sleep(100)
        assert await domain.block_job_info("vda") is not None
        await domain.block_job_abort("vda")
        assert trio.current_time() == pytest.approx(start_s + 101)
        assert change(domain, BlockJobStatus.CANCELED) == events.receive_nowait().event
        with pytest.raises(DefinitionError, match="disk vda does not have an active block job"):
            await domain.block_job_abort("vda")


async def test_a_disk_with_a_job_stays_where_it_is_and_gets_no_second_one(
    autojump_clock: Clock,
) -> None:
    async with running() as (_, domain, _events):
        await domain.block_pull("vda", bytes_per_s=1)
        busy = "disk 'vda' already in active block job"
        with pytest.raises(DefinitionError, match=busy) as refusal:
            await domain.block_pull("vda")
        assert refusal.value.code is ErrorCode.OPERATION_UNSUPPORTED
        with pytest.raises(DefinitionError, match=busy):
            await domain.detach_device("virtio-disk0")
        with pytest.raises(InvalidStateError, match="domain has active block job"):
            await domain.managed_save()
        await domain.suspend()
        await domain.resume()
        await domain.reset()
        await domain.block_job_abort("vda")
        await domain.managed_save()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda domain: domain.block_pull("vdz"), "disk 'vdz' not found in domain"),
        (lambda domain: domain.block_pull("vda", bytes_per_s=-1), "expected a number of bytes"),
        (lambda domain: domain.block_job_abort("vda"), "does not have an active block job"),
        (lambda domain: domain.set_block_threshold("vda", 1 << 63), "expected a number of bytes"),
    ],
)
async def test_what_cannot_be_is_refused(autojump_clock: Clock, call, words: str) -> None:
    async with running() as (_, domain, _events):
        with pytest.raises((DefinitionError, InvalidStateError), match=words):
            await call(domain)


async def test_waiting_for_a_job_ends_with_the_life_and_nothing_is_announced(
    autojump_clock: Clock,
) -> None:
    async with running() as (_, domain, events):
        await domain.block_pull("vda", bytes_per_s=1)
        life = domain.running_life()
        (job,) = domain.private.block_jobs
        async with trio.open_nursery() as nursery:
            nursery.start_soon(life.block_jobs.wait_end, job)
            await trio.sleep(1)
            await domain.destroy()
        kinds = [type(events.receive_nowait().event).__name__ for _ in range(2)]
        assert kinds == ["DomainShutdown", "DomainStopped"]
        await domain.start()
        assert await domain.block_job_info("vda") is None


@pytest.mark.parametrize("speed", [MIB, 10])
async def test_a_new_manager_goes_on_with_a_job_and_tells_its_end_once(
    autojump_clock: Clock, speed: int
) -> None:
    async with open_sim_host() as host:
        host.add_file("/images/base")
        host.add_file("/images/plain")
        host.add_file("/images/top", ImageHead(4 * MIB, "/images/base").encode())
        async with open_hypervisor(URI, host=host) as hypervisor:
            domain = await hypervisor.define(XML)
            await domain.start()
            await domain.block_pull("vda", bytes_per_s=speed)
            cursor = hypervisor.journal.cursor
        await trio.sleep(10)  # nobody listens; the quicker job ends meanwhile
        async with open_hypervisor(URI, host=host) as hypervisor:
            domain = hypervisor.domain("demo")
            events = hypervisor.resume(cursor)
            if speed == 10:
                await trio.sleep(1)
                assert await domain.block_job_info("vda") is not None
                await domain.block_job_abort("vda")
            outcome = BlockJobStatus.COMPLETED if speed == MIB else BlockJobStatus.CANCELED
            assert change(domain, outcome) == await next_change(events)
            await trio.sleep(10)
            with pytest.raises(trio.WouldBlock):
                events.receive_nowait()
            assert domain.private.block_jobs == ()
            await domain.block_pull("vda")


async def test_a_job_that_qemu_refuses_leaves_no_trace(autojump_clock: Clock) -> None:
    async with running() as (_, domain, _events):
        monitor = domain.running_life()
        await monitor.execute(
            "block-stream",
            {"job-id": "other", "device": "virtio-disk1-format", "auto-dismiss": False},
        )
        with pytest.raises(CommandFailedError, match="is busy"):
            await domain.block_pull("vdb")
        assert domain.private.block_jobs == ()
        assert await domain.block_job_info("vdb") is None
