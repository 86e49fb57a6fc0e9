"""Migration: the state of a whole machine to a shell command, and from one.

The commands that are modelled are those that keep nothing, append to a file, and read a file from
some byte on. What is written is the state of the model as a line of JSON behind QEMU's magic word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu.command import Handler
from pyvirt_sim.qemu.errors import QmpError
from pyvirt_sim.qemu.run_state import RunState

if TYPE_CHECKING:
    from pyvirt_sim.qemu.machine import Machine
    from pyvirt_sim.qemu.process import QemuProcess

NOWHERE: Final = "exec:cat > /dev/null"
_WORD: Final = r"('[^']*'|[\w@%+=:,./-]+)"
"""A path as a shell reads it; one that contains a quotation mark is not modelled."""
_APPEND: Final = re.compile(rf"exec:cat >> {_WORD} && mv {_WORD} {_WORD}")
_READ: Final = re.compile(rf"exec:tail -c \+(\d+) {_WORD}")
MAGIC: Final = "QEVM"
PAGE_BYTES: Final = 4096


@attrs.define
class Migration:
    """What a machine knows about migrations of itself.

    Attributes:
        sends_events: Whether a migration tells of its states (capability ``events``).
        status: QEMU's word for the latest one, ``None`` before the first.
    """

    machine: Machine
    sends_events: bool = False
    status: str | None = None
    _is_outgoing: bool = False
    _is_migrating: bool = False
    _is_cancelled: bool = False
    _has_begun_reading: bool = False

    def set_capabilities(self, wanted: list[dict[str, Any]]) -> None:
        """QMP ``migrate-set-capabilities``."""
        for capability in wanted:
            if capability["capability"] == "events":
                self.sends_events = bool(capability["state"])
            elif capability["state"]:
                raise ModelGapError(f"the migration capability {capability} is not modelled")

    def set_parameters(self, wanted: Mapping[str, Any]) -> None:
        """QMP ``migrate-set-parameters``: copies take no time here, however fast they may be."""
        if set(wanted) != {"max-bandwidth"}:
            raise ModelGapError(f"the migration parameters {dict(wanted)} are not modelled")

    # -- out ------------------------------------------------------------------------------------

    def migrate(self, arguments: Mapping[str, Any]) -> None:
        """QMP ``migrate``: it goes on in the background; the machine is left ``postmigrate``."""
        machine = self.machine
        if machine.state is RunState.POSTMIGRATE:
            raise QmpError("Can't migrate the vm that was paused due to previous migration")
        uri = arguments["uri"]
        is_plain = set(arguments) == {"uri"} and (uri == NOWHERE or _APPEND.fullmatch(uri))
        if machine.saving.is_dumping:
            raise QmpError("Live migration disabled: dump-guest-memory in progress")
        stands_still = machine.state in (RunState.PRELAUNCH, RunState.PAUSED, RunState.SUSPENDED)
        if not is_plain or not stands_still or self._is_migrating:
            raise ModelGapError(f"migrating with {dict(arguments)} in this state is not modelled")
        self._is_outgoing = self._is_migrating = True
        self._is_cancelled = False
        self._tell("setup")
        machine.spawn(self._copy, uri, name=f"qemu/{machine.name}/migration")

    async def _copy(self, uri: str) -> None:
        world = self.machine.world
        await world.pause("rcu")
        # Memory is copied once, then what was written meanwhile: nothing here.
        self._pass(1)
        self._tell("active")
        await world.pause("rcu")
        slept = self.machine.state is RunState.SUSPENDED
        if slept and not self._is_cancelled:
            self.machine.begin_waking()  # QEMU saves no machine that sleeps
        if self._is_cancelled or not self._write(uri):
            self._is_migrating = False
            self._tell("cancelled" if self._is_cancelled else "failed")
            return
        self._pass(2)
        if slept:
            self.machine.emit("STOP", None)
            self._pass(3)
        self._tell("completed")
        self._is_migrating = False
        self.machine.state = RunState.POSTMIGRATE
        if slept:
            self.machine.emit("WAKEUP", None)
        if found := _APPEND.fullmatch(uri):
            await world.pause("rcu")  # the shell has yet to see the end
            world.rename_file(_path(found[2]), _path(found[3]))

    def _write(self, uri: str) -> bool:
        found = _APPEND.fullmatch(uri)
        if found is None:
            return True
        try:
            self.machine.world.append_text(_path(found[1]), self._state() + "\n")
        except OSError:
            return False
        return True

    def cancel(self) -> None:
        """QMP ``migrate_cancel``."""
        if self._is_migrating and not self._is_cancelled:
            self._is_cancelled = True
            self._tell("cancelling")

    def _state(self) -> str:
        machine = self.machine
        if machine.peer is None or _is_losing(machine):
            raise ModelGapError("migrating a machine that is giving a device up is not modelled")
        state = {
            "devices": _devices(machine),
            "memory": machine.memory.base_bytes,
            "clock_ms": machine.virtual_clock_ms(),
            "is_fresh": machine.is_fresh,
            "guest": machine.peer.state_to_keep(),
        }
        return f"{MAGIC}{json.dumps(state)}"

    # -- in -------------------------------------------------------------------------------------

    def read(self, arguments: Mapping[str, Any]) -> None:
        """QMP ``migrate-incoming``: it goes on in the background, and its failure ends QEMU."""
        machine = self.machine
        if self._has_begun_reading:
            raise QmpError("The incoming migration has already been started")
        if machine.state is not RunState.INMIGRATE:
            raise QmpError("'-incoming' was not specified on the command line")
        found = _READ.fullmatch(arguments["uri"])
        if found is None or set(arguments) != {"uri"}:
            raise ModelGapError(f"migrate-incoming with {dict(arguments)} is not modelled")
        self._has_begun_reading = True
        self._tell("setup")
        name = f"qemu/{machine.name}/incoming migration"
        machine.spawn(self._load, int(found[1]) - 1, _path(found[2]), name=name)

    async def _load(self, start: int, path: str) -> None:
        machine = self.machine
        await machine.world.pause("rcu")
        data = (machine.world.read_bytes(path) or b"")[start:].decode(errors="replace")
        if not data:
            return  # QEMU waits for the first byte, for ever
        self._tell("active")
        await machine.world.pause("rcu")
        reason = self._take(data)
        if reason is not None:
            self._tell("failed")
            machine.complain(f"load of migration failed: {reason}")
            machine.end(1)
            return
        machine.state = RunState.PAUSED
        self._tell("completed")

    def _take(self, data: str) -> str | None:
        """Put the machine into the state that is in ``data``; or the reason why that fails."""
        if not data.startswith(MAGIC):
            self.machine.complain("Not a migration stream")
            return "Invalid argument"
        if not data.endswith("\n"):
            return "Input/output error"
        state = json.loads(data.removeprefix(MAGIC))
        machine = self.machine
        same = (_devices(machine), machine.memory.base_bytes)
        if machine.peer is None or same != (state["devices"], state["memory"]):
            raise ModelGapError("reading the state of another machine is not modelled")
        machine.take_over(clock_ms=state["clock_ms"], is_fresh=state["is_fresh"])
        machine.peer.take_over(state["guest"])
        return None

    # -- told -----------------------------------------------------------------------------------

    def _tell(self, status: str) -> None:
        self.status = status
        if self.sends_events:
            self.machine.emit("MIGRATION", {"status": status})

    def _pass(self, number: int) -> None:
        if self.sends_events:
            self.machine.emit("MIGRATION_PASS", {"pass": number})

    def statistics(self) -> dict[str, Any]:
        """QMP ``query-migrate``. Its numbers say no more than what kind of number comes."""
        if self.status is None:
            return {}
        if not self._is_outgoing or self.status == "failed":
            raise ModelGapError("what is told of such a migration is not modelled")
        answer: dict[str, Any] = {"status": self.status}
        if self.status in ("active", "cancelling", "completed"):
            when = "downtime" if self.status == "completed" else "expected-downtime"
            answer |= {"setup-time": 0, "total-time": 0, when: 0, "ram": self._ram()}
        return answer

    def _ram(self) -> dict[str, Any]:
        """All is sent at once, in the moment of completion."""
        machine = self.machine
        total = machine.memory.base_bytes + machine.firmware_bytes
        sent = total if self.status == "completed" else 0
        nothing = (
            "dirty-pages-rate",
            "dirty-sync-missed-zero-copy",
            "downtime-bytes",
            "duplicate",
            "mbps",
            "multifd-bytes",
            "pages-per-second",
            "postcopy-bytes",
            "postcopy-requests",
            "precopy-bytes",
            "skipped",
        )
        return {
            **dict.fromkeys(nothing, 0),
            "total": total,
            "transferred": sent,
            "remaining": total - sent,
            "normal": sent // PAGE_BYTES,
            "normal-bytes": sent,
            "dirty-sync-count": 2 if sent else 1,
            "page-size": PAGE_BYTES,
        }


def _devices(machine: Machine) -> list[list[str]]:
    return sorted([device.path, device.driver] for device in machine.tree.devices.values())


def _is_losing(machine: Machine) -> bool:
    """Whether some device is on its way out."""
    devices = machine.tree.devices.values()
    return any(one.unplug_until_ms is not None or not one.in_tree for one in devices)


def _path(word: str) -> str:
    return word.strip("'")


def _migration(qemu: QemuProcess) -> Migration:
    return qemu.machine.migration


COMMANDS: Final[Mapping[str, Handler]] = {
    "migrate": lambda qemu, arguments: _migration(qemu).migrate(arguments),
    "migrate_cancel": lambda qemu, _: _migration(qemu).cancel(),
    "migrate-incoming": lambda qemu, arguments: _migration(qemu).read(arguments),
    "query-migrate": lambda qemu, _: _migration(qemu).statistics(),
    "migrate-set-capabilities": lambda qemu, arguments: _migration(qemu).set_capabilities(
        arguments["capabilities"]
    ),
    "migrate-set-parameters": lambda qemu, arguments: _migration(qemu).set_parameters(arguments),
}
