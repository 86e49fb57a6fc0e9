"""A bare QEMU and its monitor, for stories that need no hypervisor."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

import attrs
import trio

from pyvirt_sim.checkers.trace import Checker, Trace
from pyvirt_sim.host import HostPlan, SimHost, open_sim_host
from pyvirt_sim.host.process import SimProcess
from pyvirt_sim.scenarios.stage import QUICK_BOOT

SOCKET = "/run/monitor"
ARGV = (
    "qemu-system-x86_64",
    *("-name", "guest=demo", "-machine", "q35", "-nodefaults", "-display", "none", "-S"),
    *("-kernel", "/boot/vmlinuz"),
    *("-chardev", f"socket,id=monitor,path={SOCKET},server=on,wait=off"),
    *("-mon", "chardev=monitor,mode=control"),
)


@attrs.define(eq=False)
class MonitorStage:
    """What such a story plays on.

    Args:
        host: The simulated machine.
        process: The QEMU.
        trace: What is seen.
        nursery: For whoever plays a part; cancelled at the end.
    """

    host: SimHost
    process: SimProcess
    trace: Trace
    nursery: trio.Nursery

    async def connect(self) -> trio.abc.Stream:
        """A connection to the monitor."""
        while True:
            try:
                return await self.host.open_stream(f"unix:{SOCKET}")
            except (FileNotFoundError, ConnectionRefusedError):
                await trio.sleep(0.001)


@asynccontextmanager
async def open_monitor_stage(
    checkers: Iterable[Checker] = (), *, plan: HostPlan | None = None, argv: Iterable[str] = ()
) -> AsyncGenerator[MonitorStage]:
    """A stage, for the length of a block; the processors of its machine do not run yet.

    Args:
        checkers: Who reads the trace.
        plan: What may be slow or go wrong on the host.
        argv: More of QEMU's command line.
    """
    trace = Trace(checkers)
    async with open_sim_host(plan or HostPlan(guest_times=QUICK_BOOT)) as host:
        host.add_file("/boot/vmlinuz")
        process = await host.start_process((*ARGV, *argv), log_file="/var/log/demo")
        async with trio.open_nursery() as nursery:
            yield MonitorStage(host, process, trace, nursery)
            trace.end()
            nursery.cancel_scope.cancel()
