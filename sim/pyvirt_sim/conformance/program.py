"""A program: what one client does to one QEMU, as data that both arms can play."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

Message = dict[str, Any]


@attrs.frozen
class Execute:
    """One command.

    Args:
        command: Its name; it need not exist.
        arguments: They need not be right.
        out_of_band: Sent as ``exec-oob``.
    """

    command: str
    arguments: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    out_of_band: bool = False


@attrs.frozen
class Burst:
    """Several commands in one write, before any is answered."""

    commands: tuple[Execute, ...]


@attrs.frozen
class Raw:
    """Bytes that are no message, and end in whatever state; the arm clears up behind them."""

    data: bytes


@attrs.frozen
class Pause:
    """Let time pass: virtual seconds in one arm, real ones in the other."""

    seconds: float


@attrs.frozen
class Reconnect:
    """Close the connection, open it again and negotiate.

    Args:
        first: Sent before the connection is closed; nobody reads what comes of it.
        enable: Capabilities to ask for.
    """

    first: bytes = b""
    enable: tuple[str, ...] = ()


@attrs.frozen
class InGuest:
    """Somebody does something in the guest, unless its processors stand still.

    Args:
        action: The value of a `pyvirt_sim.qemu.guest_actions.GuestAction`.
    """

    action: str


@attrs.frozen
class Terminate:
    """Send SIGTERM to the process."""


Step = Execute | Burst | Raw | Pause | Reconnect | InGuest | Terminate


@attrs.frozen
class Program:
    """What is played.

    Args:
        shape: Name of the machine it is played on, a key of `pyvirt_sim.conformance.shapes.SHAPES`.
        steps: In order.
    """

    shape: str
    steps: tuple[Step, ...]

    def without(self, *indexes: int) -> Program:
        """The program without these steps."""
        kept = [step for index, step in enumerate(self.steps) if index not in indexes]
        return attrs.evolve(self, steps=tuple(kept))

    def as_text(self) -> str:
        """One line per step, to read and to send to others."""
        return "\n".join([f"machine {self.shape}", *(f"  {describe(step)}" for step in self.steps)])


def describe(step: Step) -> str:
    """One line about a step."""
    match step:
        case Execute(command, arguments, out_of_band):
            words = f"{command} {dict(arguments)}" if arguments else command
            return f"{words} (out of band)" if out_of_band else words
        case Burst(commands):
            return "at once: " + "; ".join(describe(command) for command in commands)
        case Raw(data):
            return f"raw {data!r}"
        case Pause(seconds):
            return f"pause {seconds} s"
        case Reconnect(first, enable):
            return f"reconnect after {first!r}, enabling {list(enable)}"
        case InGuest(action):
            return f"in the guest: {action}"
        case Terminate():
            return "SIGTERM"


def commands_of(steps: Sequence[Step]) -> list[Execute]:
    """Every command of some steps, in order."""
    found: list[Execute] = []
    for step in steps:
        if isinstance(step, Execute):
            found.append(step)
        elif isinstance(step, Burst):
            found.extend(step.commands)
    return found


@attrs.define
class Transcript:
    """What an arm heard, step by step.

    Attributes:
        heard: For each step, the messages that came until the next one.
        after: What came once QEMU was told to quit, until it had closed the connection.
        exit_status: Of the process.
        closed: The steps (indexes) after which QEMU had closed the connection.
    """

    heard: list[list[Message]] = attrs.field(factory=list[list[Message]])
    after: list[Message] = attrs.field(factory=list[Message])
    exit_status: int | None = None
    closed: set[int] = attrs.field(factory=set[int])
