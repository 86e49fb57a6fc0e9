"""Events of QEMU that change nothing the library keeps, and are only passed on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from pyvirt_trio.driver.backends import backends
from pyvirt_trio.driver.rx_filters import filters_changed
from pyvirt_trio.models.devices import Disk
from pyvirt_trio.models.events import (
    BlockThresholdExceeded,
    GraphicsChanged,
    GraphicsPhase,
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


def _block_job_changed(life: Life, data: Data) -> None:
    life.block_jobs.heard(data)


def _graphics_changed(life: Life, data: Data, phase: GraphicsPhase) -> None:
    server, client = data["server"], data["client"]
    event = GraphicsChanged(
        **life.stamp,
        phase=phase,
        local=_endpoint(server),
        remote=_endpoint(client),
        auth_scheme=server.get("auth", ""),
    )
    life.announce(None, event)


def _endpoint(data: Data) -> str:
    """An end of a connection as ``host:service``; of a unix socket, its path."""
    if data["family"] == "unix":
        return str(data["service"])
    host = f"[{data['host']}]" if data["family"] == "ipv6" else data["host"]
    return f"{host}:{data['service']}"


_PHASES = {
    "CONNECTED": GraphicsPhase.CONNECT,
    "INITIALIZED": GraphicsPhase.INITIALIZE,
    "DISCONNECTED": GraphicsPhase.DISCONNECT,
}

REPORTS: Mapping[str, Callable[[Life, Data], None]] = {
    "MEMORY_FAILURE": _memory_failed,
    "BLOCK_WRITE_THRESHOLD": _threshold_exceeded,
    "JOB_STATUS_CHANGE": _block_job_changed,
    "NIC_RX_FILTER_CHANGED": filters_changed,
    **{
        f"{server}_{word}": partial(_graphics_changed, phase=phase)
        for server in ("VNC", "SPICE")
        for word, phase in _PHASES.items()
    },
}
"""QEMU's event -> what is announced."""
