"""Plays a program in both arms, finds the first difference, and makes the program small."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from itertools import zip_longest
from typing import Final, cast

import attrs

from pyvirt_sim.conformance.program import Execute, Message, Program, Transcript, describe
from pyvirt_sim.conformance.real_arm import play_real
from pyvirt_sim.conformance.sim_arm import Gap, play_sim
from pyvirt_sim.conformance.wire import answered
from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu import schema

_MAX_SHOWN: Final = 1000
_DELETED: Final = "DEVICE_DELETED"
MORE_PATIENCE_S: Final = 12.0
"""How long a real QEMU may take at the second try."""


@attrs.frozen
class Difference:
    """The first message in which two arms part.

    Args:
        program: What was played.
        where: The step, in words.
        simulated: What ours said, ``None`` for nothing.
        real: What the real one said, ``None`` for nothing.
    """

    program: Program
    where: str
    simulated: object
    real: object

    def as_text(self) -> str:
        """What a person needs to see it again."""
        return (
            f"{self.program.as_text()}\n"
            f"first difference after: {self.where}{_place(self.simulated, self.real)}\n"
            f"  simulated: {_shown(self.simulated)}\n"
            f"  real:      {_shown(self.real)}"
        )


def _place(one: object, other: object, path: str = "") -> str:
    """Where within two messages they part, in words; nothing when one is missing."""
    here = f", at {path[1:]}: {_shown(one)} against {_shown(other)}" if path else ""
    if isinstance(one, dict) and isinstance(other, dict):
        ours, theirs = cast("dict[str, object]", one), cast("dict[str, object]", other)
        for key in sorted(ours.keys() | theirs.keys()):
            if ours.get(key) != theirs.get(key):
                return _place(ours.get(key), theirs.get(key), f"{path}.{key}")
    if isinstance(one, list) and isinstance(other, list):
        pairs = zip_longest(cast("list[object]", one), cast("list[object]", other))
        for index, (mine, his) in enumerate(pairs):
            if mine != his:
                return _place(mine, his, f"{path}[{index}]")
    return here


def _shown(message: object) -> str:
    text = "(nothing)" if message is None else json.dumps(message, sort_keys=True)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]} ... ({len(text)} characters)"


@attrs.frozen
class Outcome:
    """What became of one program.

    Args:
        program: What was compared: the steps the model refused are taken out.
        gaps: What the model refused, one sentence each.
        simulated: What ours said.
        difference: The first one, ``None`` when the arms agree.
        unsteady: A difference that was gone when the program was played again with more patience:
            of a busy machine, or of a race in the real QEMU.
    """

    program: Program
    gaps: tuple[str, ...]
    simulated: Transcript
    difference: Difference | None
    unsteady: Difference | None = None


Play = Callable[[Program, Transcript], Transcript]


def run_program(program: Program, play: Play | None = play_real) -> Outcome:
    """Play a program in both arms.

    Args:
        program: It.
        play: The other arm; ``None`` holds ours to the schema only.
    """
    gaps: list[str] = []
    while isinstance(simulated := play_sim(program), Gap):
        if not 0 <= simulated.step < len(program.steps):
            raise ModelGapError(f"the machine {program.shape} itself: {simulated.text}")
        gaps.append(simulated.text)
        program = program.without(simulated.step)
    difference = check_schema(program, simulated, is_real=False)
    unsteady = None
    if play is not None and difference is None:
        difference = _against(program, simulated, play)
        if difference is not None and play is play_real:
            again = _against(program, simulated, partial(play_real, patience_s=MORE_PATIENCE_S))
            unsteady, difference = (None, again) if again is not None else (difference, None)
    return Outcome(program, tuple(gaps), simulated, difference, unsteady)


def _against(program: Program, simulated: Transcript, play: Play) -> Difference | None:
    real = play(program, simulated)
    found = first_difference(program, simulated, real)
    return found if found is not None else check_schema(program, real, is_real=True)


def first_difference(
    program: Program, simulated: Transcript, real: Transcript
) -> Difference | None:
    """Compare what two arms said, message by message."""
    for where, ours, theirs in _aligned(program, simulated, real):
        for one, other in zip_longest(ours, theirs):
            if one != other:
                return Difference(program, where, one, other)
    if simulated.exit_status != real.exit_status:
        ends = (f"exit status {simulated.exit_status}", f"exit status {real.exit_status}")
        return Difference(program, "the end of the process", *ends)
    return None


def _aligned(
    program: Program, simulated: Transcript, real: Transcript
) -> Iterator[tuple[str, list[Message], list[Message]]]:
    for step, ours, theirs in zip(program.steps, simulated.heard, real.heard, strict=True):
        if isinstance(step, Execute) and step.command == "system_reset":
            yield describe(step), _reply_before_deletions(ours), _reply_before_deletions(theirs)
        else:
            yield describe(step), ours, theirs
    yield "quit", simulated.after, real.after


def _reply_before_deletions(part: list[Message]) -> list[Message]:
    """Move a reset's reply before the deletions it completed, and past nothing else.

    QEMU frees devices in a thread of its own (RCU) while its monitor answers: either is first.
    """
    moved: list[Message] = []
    for message in part:
        place = len(moved)
        while "event" not in message and place and moved[place - 1].get("event") == _DELETED:
            place -= 1
        moved.insert(place, message)
    return moved


def check_schema(program: Program, transcript: Transcript, *, is_real: bool) -> Difference | None:
    """Hold every reply and event of a transcript to QEMU's schema."""
    for message in (message for part in (*transcript.heard, transcript.after) for message in part):
        try:
            if "event" in message:
                schema.check_event(message["event"], message.get("data"))
            elif "return" in message and (name := answered(message, program)) is not None:
                schema.check_reply(name, message["return"])
        except schema.SchemaError as error:
            said = (None, message) if is_real else (message, None)
            return Difference(program, f"the schema forbids it: {error}", *said)
    return None


def shrink(program: Program, play: Play | None = play_real, *, attempts: int = 60) -> Difference:
    """Make a program whose arms differ as short as leaving out steps can make it.

    Args:
        program: Its arms differ.
        play: The other arm.
        attempts: How many shorter programs are tried at most; a differing one costs the patience
            of the real arm.
    """
    best = run_program(program, play).difference
    assert best is not None, "the arms agree when they are asked again"
    size = max(len(best.program.steps) // 2, 1)
    while True:
        start = 0
        while start < len(best.program.steps) and attempts > 0:
            attempts -= 1
            dropped = range(start, min(start + size, len(best.program.steps)))
            found = run_program(best.program.without(*dropped), play).difference
            if found is None:
                start += size
            else:
                best = found
        if size == 1 or attempts <= 0:
            return best
        size //= 2
