"""Copies of a whole machine: migration into a command that keeps nothing, dumps of its memory.

Modelled as far as their events and run states go, of a machine whose processors stand still; where
the copy goes is ``/dev/null``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu.command import Arguments, Handler
from pyvirt_sim.qemu.errors import QmpError
from pyvirt_sim.qemu.run_state import RunState

if TYPE_CHECKING:
    from pyvirt_sim.qemu.machine import Machine
    from pyvirt_sim.qemu.process import QemuProcess

NOWHERE: Final = "exec:cat > /dev/null"
_DUMP_NOWHERE: Final = "file:/dev/null"


@attrs.define
class Saving:
    """What a machine knows about copies of itself.

    Attributes:
        sends_events: Whether a migration tells of its states (capability ``events``).
        was_migrated: Whether one has ended; its statistics are not modelled.
        dump: What ``query-dump`` answers.
    """

    machine: Machine
    sends_events: bool = False
    was_migrated: bool = False
    dump: dict[str, Any] = attrs.field(
        factory=lambda: {"status": "none", "completed": 0, "total": 0}
    )
    _is_migrating: bool = False

    def set_capabilities(self, wanted: list[dict[str, Any]]) -> None:
        """QMP ``migrate-set-capabilities``."""
        for capability in wanted:
            if capability["capability"] == "events":
                self.sends_events = bool(capability["state"])
            elif capability["state"]:
                raise ModelGapError(f"the migration capability {capability} is not modelled")

    def migrate(self, arguments: Mapping[str, Any]) -> None:
        """QMP ``migrate``: it goes on in the background; the machine is left ``postmigrate``."""
        machine = self.machine
        if machine.state is RunState.POSTMIGRATE:
            raise QmpError("Can't migrate the vm that was paused due to previous migration")
        is_plain = set(arguments) == {"uri"} and arguments["uri"] == NOWHERE
        stands_still = machine.state in (RunState.PRELAUNCH, RunState.PAUSED)
        if not is_plain or not stands_still or self._is_migrating:
            raise ModelGapError(f"migrating with {dict(arguments)} in this state is not modelled")
        self._is_migrating = True
        self._tell("setup")
        machine.spawn(self._copy, name=f"qemu/{machine.name}/migration")

    async def _copy(self) -> None:
        await self.machine.world.pause("rcu")
        # Memory is copied once, then what was written meanwhile: nothing here.
        self._pass(1)
        self._tell("active")
        self._pass(2)
        self._tell("completed")
        self._is_migrating, self.was_migrated = False, True
        self.machine.state = RunState.POSTMIGRATE

    def _tell(self, status: str) -> None:
        if self.sends_events:
            self.machine.emit("MIGRATION", {"status": status})

    def _pass(self, number: int) -> None:
        if self.sends_events:
            self.machine.emit("MIGRATION_PASS", {"pass": number})

    def statistics(self) -> dict[str, Any]:
        """QMP ``query-migrate``."""
        if self._is_migrating or self.was_migrated:
            raise ModelGapError("the statistics of a migration are not modelled")
        return {}

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


def _cancel(qemu: QemuProcess, _arguments: Arguments) -> None:
    qemu.machine.saving.statistics()  # nothing to cancel is nothing done


COMMANDS: Final[Mapping[str, Handler]] = {
    "migrate": lambda qemu, arguments: qemu.machine.saving.migrate(arguments),
    "migrate_cancel": _cancel,
    "query-migrate": lambda qemu, _: qemu.machine.saving.statistics(),
    "migrate-set-capabilities": lambda qemu, arguments: qemu.machine.saving.set_capabilities(
        arguments["capabilities"]
    ),
    "dump-guest-memory": lambda qemu, arguments: qemu.machine.saving.dump_memory(arguments),
    "query-dump": lambda qemu, _: qemu.machine.saving.dump,
}
