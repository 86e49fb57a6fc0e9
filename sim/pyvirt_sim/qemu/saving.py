"""Dumps of a machine's memory, modelled as far as their events and run states go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu.command import Handler

if TYPE_CHECKING:
    from pyvirt_sim.qemu.machine import Machine

_DUMP_NOWHERE: Final = "file:/dev/null"


@attrs.define
class Saving:
    """What a machine knows about dumps of itself.

    Attributes:
        dump: What ``query-dump`` answers.
    """

    machine: Machine
    dump: dict[str, Any] = attrs.field(
        factory=lambda: {"status": "none", "completed": 0, "total": 0}
    )

    def dump_memory(self, arguments: Mapping[str, Any]) -> None:
        """QMP ``dump-guest-memory``: event DUMP_COMPLETED, around it STOP and RESUME."""
        is_plain = set(arguments) == {"paging", "protocol"} and not arguments["paging"]
        if not is_plain or arguments["protocol"] != _DUMP_NOWHERE:
            raise ModelGapError(f"a dump with {dict(arguments)} is not modelled")
        machine = self.machine
        was_running = machine.is_running
        machine.pause()
        total = machine.memory.base_bytes + machine.firmware_bytes
        self.dump = {"status": "completed", "completed": total, "total": total}
        machine.emit("DUMP_COMPLETED", {"result": dict(self.dump)})
        if was_running:
            machine.resume()


COMMANDS: Final[Mapping[str, Handler]] = {
    "dump-guest-memory": lambda qemu, arguments: qemu.machine.saving.dump_memory(arguments),
    "query-dump": lambda qemu, _: qemu.machine.saving.dump,
}
