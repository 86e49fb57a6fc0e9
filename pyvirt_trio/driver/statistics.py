"""What a domain uses: `Domain.info` and `Domain.statistics`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from pyvirt_trio.driver.domain_core import DomainCore
from pyvirt_trio.errors import InvalidStateError
from pyvirt_trio.models.devices import Disk, Interface
from pyvirt_trio.models.jobs import JobKind
from pyvirt_trio.models.states import DomainStatus
from pyvirt_trio.models.value import Value

if TYPE_CHECKING:
    from pyvirt_trio.driver.life import Life

NS_PER_TICK = 10_000_000
"""Of the times in ``/proc/PID/stat``: Linux counts 100 a second for every program (``USER_HZ``)."""

_BLOCK = (
    ("rd.reqs", "rd_operations"),
    ("rd.bytes", "rd_bytes"),
    ("rd.times", "rd_total_time_ns"),
    ("wr.reqs", "wr_operations"),
    ("wr.bytes", "wr_bytes"),
    ("wr.times", "wr_total_time_ns"),
    ("fl.reqs", "flush_operations"),
    ("fl.times", "flush_total_time_ns"),
)
"""libvirt's name of a number, and QEMU's."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DomainInfo(Value):
    """What ``virDomainGetInfo`` answers.

    Args:
        status: State and reason.
        max_memory_kib: How much memory it may have.
        memory_kib: How much it has.
        vcpu_count: Number of virtual processors.
        cpu_time_ns: How long its QEMU has used processors of the host, in nanoseconds; 0 when it
            does not run.
    """

    status: DomainStatus
    max_memory_kib: int
    memory_kib: int
    vcpu_count: int
    cpu_time_ns: int


class StatisticsCalls(DomainCore):
    """See `Domain`."""

    async def info(self) -> DomainInfo:
        """The domain's state, memory, processors and time (``virDomainGetInfo``)."""
        definition, life = self.definition, self.current_life
        times = await _cpu_times_ns(life) if life is not None else (0, 0)
        return DomainInfo(
            status=self.status,
            max_memory_kib=definition.memory_kib,
            memory_kib=definition.memory_kib,
            vcpu_count=definition.vcpu_count,
            cpu_time_ns=sum(times),
        )

    async def statistics(self) -> dict[str, int | str]:
        """All there is to know in numbers, by libvirt's names (``virDomainListGetStats``).

        A domain that is off has a state and what is written in its definition. What QEMU does not
        tell is left out.

        Returns:
            ``state.*``, ``cpu.*``, ``balloon.*``, ``vcpu.*``, ``net.*`` and ``block.*``; times are
            in nanoseconds, memory in KiB.

        Raises:
            MonitorError: QEMU did not answer.
        """
        async with self.job.hold("statistics", JobKind.QUERY):
            definition, life = self.definition, self.current_life
            found: dict[str, int | str] = {
                "state.state": int(self.status.state),
                "state.reason": int(self.status.reason),
                "balloon.current": definition.memory_kib,
                "balloon.maximum": definition.memory_kib,
                "vcpu.current": definition.vcpu_count,
                "vcpu.maximum": len(definition.vcpus),
            }
            interfaces = [one for one in definition.devices if isinstance(one, Interface)]
            found["net.count"] = len(interfaces)
            for number, card in enumerate(interfaces):
                found[f"net.{number}.name"] = card.alias or card.mac or ""
            disks = [one for one in definition.devices if isinstance(one, Disk)]
            found["block.count"] = len(disks)
            for number, disk in enumerate(disks):
                found[f"block.{number}.name"] = disk.target
                if disk.source_file is not None:
                    found[f"block.{number}.path"] = disk.source_file
            if life is not None and self.view.live is not None:
                try:
                    await _add_live(life, disks, found)
                except InvalidStateError:
                    pass  # it has ended meanwhile; what is known stands
            return found


async def _add_live(life: Life, disks: list[Disk], found: dict[str, int | str]) -> None:
    user, system = await _cpu_times_ns(life)
    found |= {"cpu.time": user + system, "cpu.user": user, "cpu.system": system}
    resident = await _resident_kib(life)
    if resident is not None:
        found["balloon.rss"] = resident
    for cpu in await life.execute("query-cpus-fast"):
        found[f"vcpu.{cpu['cpu-index']}.state"] = 1
        ticks = await thread_times(life, cpu["thread-id"])
        if ticks is not None:
            time_ns = (ticks.user + ticks.system) * NS_PER_TICK
            found[f"vcpu.{cpu['cpu-index']}.time"] = time_ns
    answers: list[dict[str, Any]] = await life.execute("query-blockstats") if disks else []
    for number, disk in enumerate(disks):
        for answer in answers:
            if disk.alias in str(answer.get("qdev", "")).split("/"):
                for name, qemus in _BLOCK:
                    found[f"block.{number}.{name}"] = answer["stats"][qemus]


async def _cpu_times_ns(life: Life) -> tuple[int, int]:
    """User and system time of the QEMU."""
    ticks = await _ticks(life)
    return (ticks.user * NS_PER_TICK, ticks.system * NS_PER_TICK) if ticks else (0, 0)


@attrs.frozen(eq=False, repr=False)
class Ticks(Value):
    """What a thread or process has used of the host's processors.

    Args:
        user: In its own code, in ticks.
        system: In the kernel, in ticks.
        host_cpu: The processor it ran on last; ``None`` when that is not told.
    """

    user: int
    system: int
    host_cpu: int | None


async def thread_times(life: Life, thread: int) -> Ticks | None:
    """What one thread of the life's QEMU has used; ``None`` when this host does not tell."""
    return await _ticks(life, f"/task/{thread}")


async def _ticks(life: Life, thread: str = "") -> Ticks | None:
    text = await _proc(life, f"{thread}/stat")
    fields = text.rpartition(")")[2].split() if text else []
    if len(fields) <= 12:
        return None
    # After the name come state and parent; utime, stime and processor are the 14th, 15th and 39th
    # of proc(5).
    host_cpu = int(fields[36]) if len(fields) > 36 else None
    return Ticks(int(fields[11]), int(fields[12]), host_cpu)


async def _resident_kib(life: Life) -> int | None:
    text = await _proc(life, "/status") or ""
    for line in text.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return None


async def _proc(life: Life, name: str) -> str | None:
    if life.pid is None:
        return None
    try:
        return await life.host.read_text(f"/proc/{life.pid}{name}")
    except OSError:  # it has ended, or this kernel does not tell
        return None
