"""The number of a process is taken for the process."""

from __future__ import annotations

from collections.abc import Sequence

from pyvirt_sim.clients import truth
from pyvirt_sim.scenarios.slow_deaths import PID_IS_USED_AGAIN
from pyvirt_sim.zoo.mutant import BugClass, Mutant
from pyvirt_sim.zoo.planting import replacing
from pyvirt_trio.abc import Host, Process
from pyvirt_trio.driver import restoring
from pyvirt_trio.driver.status import ProcessMark


async def _find_marked(
    host: Host, wanted: Sequence[tuple[ProcessMark, str]]
) -> list[Process | None]:
    return [await _whoever_has(host, mark.pid) for mark, _ in wanted]


async def _whoever_has(host: Host, pid: int) -> Process | None:
    try:
        return await host.adopt_process(pid)
    except ProcessLookupError:
        return None


MUTANT = Mutant(
    number=62,
    slug="pid-recycled-before-sigterm",
    title="A QEMU has ended and its number is another process's, which is taken for it and killed.",
    sources=("Proxmox qemu-server commit 281fa1491fc3",),
    kind=BugClass.STALE,
    promise="A signal that is meant for one life's process reaches that process or nobody.",
    replaces="a manager's search for the QEMU of a former one: it goes by the number alone",
    scenario=PID_IS_USED_AGAIN,
    checker=truth.NAME,
    depth=1,
    planted=replacing((restoring, "find_marked", _find_marked)),
)
