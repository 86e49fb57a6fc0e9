"""Dumps of a machine's memory, modelled as far as their events and run states go."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu.command import Handler
from pyvirt_sim.qemu.errors import QmpError
from pyvirt_sim.qemu.run_state import RunState

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

    @property
    def is_dumping(self) -> bool:
        """Whether one is being written."""
        return bool(self.dump["status"] == "active")

    def require_none(self) -> None:
        """Refuse what cannot be while one is being written."""
        if self.is_dumping:
            raise QmpError("There is a dump in process, please wait.")

    def dump_memory(self, arguments: Mapping[str, Any]) -> None:
        """QMP ``dump-guest-memory``: event DUMP_COMPLETED, around it STOP and RESUME."""
        protocol = arguments["protocol"]
        is_detached = arguments.get("detach", False)
        is_plain = arguments.keys() <= {"paging", "protocol", "detach"} and not arguments["paging"]
        if not is_plain or not (is_detached or protocol == _DUMP_NOWHERE):
            raise ModelGapError(f"a dump with {dict(arguments)} is not modelled")
        self.require_none()
        machine = self.machine
        was_running = machine.is_running
        path = protocol.removeprefix("file:")
        if path == protocol:
            raise ModelGapError(f"a dump to {protocol} is not modelled")
        if path != "/dev/null" and not machine.world.folder_exists(posixpath.dirname(path)):
            raise QmpError(f"Could not open '{path}': No such file or directory")
        machine.pause(RunState.SAVE_VM)
        if is_detached:
            self.dump = {"status": "active", "completed": 0, "total": 0}
            name = f"qemu/{machine.name}/dump"
            machine.spawn(self._finish_later, path, was_running, name=name)
        else:
            self._finish(was_running=was_running)

    async def _finish_later(self, path: str, was_running: bool) -> None:
        await self.machine.world.pause("rcu")
        self.machine.world.append_text(path, "\x7fELF simulated core\n")
        self._finish(was_running=was_running)

    def _finish(self, *, was_running: bool) -> None:
        machine = self.machine
        total = machine.memory.base_bytes + machine.firmware_bytes
        self.dump = {"status": "completed", "completed": total, "total": total}
        machine.emit("DUMP_COMPLETED", {"result": dict(self.dump)})
        if was_running:
            machine.resume()


COMMANDS: Final[Mapping[str, Handler]] = {
    "dump-guest-memory": lambda qemu, arguments: qemu.machine.saving.dump_memory(arguments),
    "query-dump": lambda qemu, _: qemu.machine.saving.dump,
}
