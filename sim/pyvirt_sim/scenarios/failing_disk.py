"""A disk whose writes may fail, beside a simulated QEMU that models none: werror=stop.

As QEMU does it since 74892d2468b9: the error callback only asks for a stop; the event is out before
the request can be seen; the main loop stops the machine a moment later; and a machine that is made
to run with such a request pending tells of both, STOP and RESUME, and runs on.
"""

# pyright: reportPrivateUsage=false, reportConstantRedefinition=false

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import attrs
import trio

from pyvirt_sim.qemu import events
from pyvirt_sim.qemu.machine import Machine
from pyvirt_sim.qemu.process import QemuProcess

EVENT = "BLOCK_IO_ERROR"


@attrs.define(eq=False)
class FailingDisk:
    """The disk ``vda`` of one machine.

    Args:
        qemu: The process.
    """

    qemu: QemuProcess
    has_queued_write: bool = False
    stop_is_wanted: bool = False

    def fail(self) -> None:
        """A write fails now: the event, then a stop as soon as the main loop gets to it."""
        data = {
            "device": "",
            "node-name": "libvirt-1-format",
            "operation": "write",
            "action": "stop",
            "reason": "Input/output error",
            "nospace": False,
        }
        self.qemu.events.emit(EVENT, data)
        self.stop_is_wanted = True
        self.qemu.machine.spawn(self._stop, name="qemu/demo/stop request")

    async def _stop(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.stop_is_wanted:
            self.stop_is_wanted = False
            self.qemu.machine.pause()

    def resumed_before_stop(self) -> None:
        """Somebody resumes before the stop came: it is over at once, and nobody misses it."""
        self.stop_is_wanted = False
        self.qemu.events.emit("STOP")
        self.qemu.events.emit("RESUME")

    def processors_run(self) -> None:
        """What waited for the processors is done; a queued write fails at once."""
        if self.has_queued_write:
            self.has_queued_write = False
            self.fail()


@contextmanager
def failing_disk(disk_of: dict[Machine, FailingDisk]) -> Generator[None]:
    """Let machines tell their failing disks that they run, and QEMU send the event."""
    run, resume, modelled = Machine._run, Machine.resume, events.MODELLED  # noqa: SLF001

    def run_with_disk(self: Machine) -> None:
        run(self)
        if self in disk_of:
            disk_of[self].processors_run()

    def resume_with_disk(self: Machine) -> None:
        disk = disk_of.get(self)
        if disk is not None and disk.stop_is_wanted and self.is_running:
            disk.resumed_before_stop()
        else:
            resume(self)

    Machine._run = run_with_disk  # type: ignore[method-assign]  # noqa: SLF001
    Machine.resume = resume_with_disk  # type: ignore[method-assign]
    events.MODELLED = modelled | {EVENT}  # type: ignore[misc]
    try:
        yield
    finally:
        Machine._run = run  # type: ignore[method-assign]  # noqa: SLF001
        Machine.resume = resume  # type: ignore[method-assign]
        events.MODELLED = modelled  # type: ignore[misc]
