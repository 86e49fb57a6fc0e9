"""How both arms put a program's steps on the wire, and make what they hear comparable."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, cast

import attrs

from pyvirt_sim.conformance.program import Burst, Execute, Message, Program, Raw, Step, commands_of

# Ends any token that has begun, recovers from it, and is no message: one more parse error.
CLEAR: Final = b"\n\x01\n"
# Ids of the commands that the arms themselves give: their names.
QUIT_ID: Final = "quit"
NEGOTIATION_ID: Final = "qmp_capabilities"
# Members that differ from machine to machine and run to run; only their type is compared.
MASKED: Final = frozenset(
    {"thread-id", "seconds", "microseconds", "offset", "pid", "total-time"}
    | {"setup-time", "downtime", "expected-downtime"}
)
STATISTICS: Final = "dirty-sync-count"
"""Numbers that stand together with this one are those of a migration: only their types, too."""


@attrs.define
class Encoder:
    """Numbers the commands of a program as they are sent.

    Args:
        root: The run's folder, which arguments call ``$ROOT``.
    """

    root: str
    _next: int = 1

    def data(self, step: Step) -> bytes:
        """The bytes of a step that sends something, ``b""`` for another."""
        match step:
            case Execute():
                return self._message(step)
            case Burst(commands):
                return b"".join(self._message(command) for command in commands)
            case Raw(data):
                return data + CLEAR
            case _:
                return b""

    def _message(self, command: Execute) -> bytes:
        message: dict[str, Any] = {
            "exec-oob" if command.out_of_band else "execute": command.command,
            "id": command_id(self._next),
        }
        if command.arguments:
            message["arguments"] = dict(command.arguments)
        self._next += 1
        return json.dumps(message).replace("$ROOT", self.root).encode() + b"\n"


def command_id(number: int) -> str:
    """The id of the command of that number, from 1."""
    return f"#{number}"


def answered(message: Message, program: Program) -> str | None:
    """The command that a reply answers, ``None`` for an event and for a reply to raw bytes."""
    identity: object = message.get("id")
    if "event" in message or not isinstance(identity, str):
        return None
    if identity in (QUIT_ID, NEGOTIATION_ID):
        return identity
    commands = commands_of(program.steps)
    return commands[int(identity[1:]) - 1].command if identity.startswith("#") else None


def normalised(message: Message, root: str) -> Message:
    """A message as it is compared: times, numbers of this machine and paths taken out."""
    text = json.dumps(message).replace(root, "$ROOT")
    comparable: Message = json.loads(text, object_hook=_masked)
    comparable.pop("timestamp", None)
    if _is_listing(comparable.get("return")):
        comparable["return"].sort(key=_name)
    return comparable


def _name(item: Mapping[str, Any]) -> str:
    return str(item["name"])


def _is_listing(value: Any) -> bool:
    """Whether this lists names and types: QEMU's order for them is that of a hash table."""
    keys = {"name", "type", "description", "default-value", "parent", "abstract"}
    return isinstance(value, list) and all(
        isinstance(item, dict) and "name" in item and item.keys() <= keys
        for item in cast("list[object]", value)
    )


def _masked(members: Mapping[str, Any]) -> dict[str, Any]:
    is_statistics = STATISTICS in members
    return {
        key: type(value)()
        if (is_statistics or key in MASKED) and isinstance(value, int | float)
        else value
        for key, value in members.items()
    }


def negotiation(enable: tuple[str, ...] = ()) -> bytes:
    """The first message of a client."""
    message: dict[str, Any] = {"execute": "qmp_capabilities", "id": NEGOTIATION_ID}
    if enable:
        message["arguments"] = {"enable": list(enable)}
    return json.dumps(message).encode() + b"\n"


def is_reply_to(message: Message, identity: object) -> bool:
    """Whether a message answers the command of that id."""
    return "event" not in message and message.get("id") == identity
