"""What a guest writes to its disks, as far as QEMU tells of it: marks passed, and failures.

A write that fails for want of room stops the machine, and is tried again when it goes on; any other
failure is reported to the guest. That is QEMU's choice where nobody has made another (``werror``).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu.run_state import RunState

if TYPE_CHECKING:
    from pyvirt_sim.qemu.block import Node
    from pyvirt_sim.qemu.machine import Machine


def write(machine: Machine, disk: str, end_bytes: int) -> None:
    """The guest writes to a disk, up to a place in its image.

    Events BLOCK_WRITE_THRESHOLD, once for each mark; or BLOCK_IO_ERROR, and STOP where that leads
    to one.
    """
    drive = machine.tree.drives.of_device(disk)
    if drive.device.value("werror") not in (None, "auto"):
        raise ModelGapError("disks with another werror are not modelled")
    node = drive.medium
    if node is None or node.driver != "raw":
        raise ModelGapError(f"writing to {disk}, whose image is not raw, is not modelled")
    if drive.errno:
        _fail(machine, node, drive.errno, partial(write, machine, disk, end_bytes))
        return
    layer: Node | None = node
    while layer is not None:
        if 0 < layer.write_threshold < end_bytes:
            threshold, layer.write_threshold = layer.write_threshold, 0
            data = {
                "node-name": layer.name,
                "amount-exceeded": end_bytes - threshold,
                "write-threshold": threshold,
            }
            machine.emit("BLOCK_WRITE_THRESHOLD", data)
        layer = layer.child


def _fail(machine: Machine, node: Node, number: int, again: partial[None]) -> None:
    stops = number == errno.ENOSPC
    data = {
        "device": "",
        "node-name": node.name,
        "operation": "write",
        "action": "stop" if stops else "report",
        "nospace": stops,
        "reason": os.strerror(number),
    }
    machine.emit("BLOCK_IO_ERROR", data)
    if stops:
        machine.failed_writes.append(again)
        machine.pause(RunState.IO_ERROR)


def try_again(machine: Machine) -> None:
    """The processors run again, and what had failed is done once more, behind the reply."""
    failed, machine.failed_writes = machine.failed_writes, []
    for again in failed:
        machine.spawn(partial(_retry, machine, again), name=f"qemu/{machine.name}/write")


async def _retry(machine: Machine, again: Callable[[], None]) -> None:
    await machine.world.pause("rcu")
    if machine.is_running:
        again()
    else:
        machine.failed_writes.append(again)
