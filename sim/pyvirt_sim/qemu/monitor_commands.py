"""The commands about the monitor itself, and about what QEMU was called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from pyvirt_sim.qemu import recorded, schema
from pyvirt_sim.qemu.command import Arguments, Handler
from pyvirt_sim.qemu.errors import QmpError

if TYPE_CHECKING:
    from pyvirt_sim.qemu.process import QemuProcess


def _negotiated(_qemu: QemuProcess, _arguments: Arguments) -> object:
    raise QmpError(
        "Capabilities negotiation is already complete, command ignored", "CommandNotFound"
    )


def _query_commands(_qemu: QemuProcess, _arguments: Arguments) -> object:
    # The newest first; device_add is registered by hand, after all others.
    others = [name for name in reversed(schema.COMMANDS) if name != "device_add"]
    return [{"name": name} for name in ("device_add", *others)]


def _query_name(qemu: QemuProcess, _arguments: Arguments) -> object:
    return {"name": qemu.config.name} if qemu.config.name else {}


COMMANDS: Final[Mapping[str, Handler]] = {
    "qmp_capabilities": _negotiated,
    "query-version": lambda _qemu, _arguments: recorded.VERSION,
    "query-commands": _query_commands,
    "query-name": _query_name,
    "query-uuid": lambda qemu, _arguments: {"UUID": qemu.config.uuid},
}
