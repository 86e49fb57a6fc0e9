"""Events of QEMU that change nothing the library keeps, and are only passed on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from pyvirt_trio.driver.backends import backends
from pyvirt_trio.models.devices import Disk
from pyvirt_trio.models.events import (
    BlockThresholdExceeded,
    MemoryFailed,
    MemoryFailureAction,
    MemoryFailureFlag,
    MemoryFailureRecipient,
)

if TYPE_CHECKING:
    from pyvirt_trio.driver.life import Life

Data: TypeAlias = Mapping[str, Any]

_FLAGS = {
    "action-required": MemoryFailureFlag.ACTION_REQUIRED,
    "recursive": MemoryFailureFlag.RECURSIVE,
}


def disk_of_node(life: Life, node: str) -> Disk | None:
    """The disk of the running machine that stands on this block node."""
    for device in life.definition.devices:
        if isinstance(device, Disk):
            nodes = [backend.identity.get("node-name") for backend in backends(device)]
            if node in nodes:
                return device
    return None


def _memory_failed(life: Life, data: Data) -> None:
    flags = MemoryFailureFlag.NONE
    for name, flag in _FLAGS.items():
        if data["flags"].get(name):
            flags |= flag
    life.announce(
        None,
        MemoryFailed(
            **life.stamp,
            recipient=MemoryFailureRecipient[data["recipient"].upper()],
            action=MemoryFailureAction[data["action"].upper()],
            flags=flags,
        ),
    )


def _threshold_exceeded(life: Life, data: Data) -> None:
    disk = disk_of_node(life, data["node-name"])
    event = BlockThresholdExceeded(
        **life.stamp,
        target=disk.target if disk else data["node-name"],
        path=disk.source_file if disk else None,
        threshold_bytes=data["write-threshold"],
        excess_bytes=data["amount-exceeded"],
    )
    life.announce(None, event)


REPORTS: Mapping[str, Callable[[Life, Data], None]] = {
    "MEMORY_FAILURE": _memory_failed,
    "BLOCK_WRITE_THRESHOLD": _threshold_exceeded,
}
"""QEMU's event -> what is announced."""
