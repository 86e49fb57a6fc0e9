"""Play the script on a real kernel and on ours, and find the differences."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

import pyvirt_sim
from pyvirt_sim.conformance.kernel.programs import programs as make_programs
from pyvirt_sim.conformance.kernel.scene import OPTIONS
from pyvirt_sim.conformance.kernel.script import CASES
from pyvirt_sim.conformance.kernel.simulated import play_simulated
from pyvirt_sim.conformance.kernel.steps import Step
from pyvirt_sim.conformance.real.nested import NestedMachine, NestedRunError

_AGENT = "pyvirt_sim.conformance.kernel.agent"
_GAP = "not modelled: "

Answer = dict[str, Any]
Cases = Mapping[str, Sequence[Step]]


@attrs.frozen
class Difference:
    """A step that the two kernels answered differently.

    Args:
        case: The case it belongs to.
        number: Its place in the script, from 1.
        step: The step.
        real: What the real kernel answered, and the events it sent.
        simulated: What ours did.
    """

    case: str
    number: int
    step: Step
    real: Answer
    simulated: Answer

    def __str__(self) -> str:
        return (
            f"step {self.number} ({self.case}): {self.step}\n"
            f"  real      {json.dumps(self.real)}\n"
            f"  simulated {json.dumps(self.simulated)}"
        )


@attrs.frozen
class Comparison:
    """The outcome.

    Args:
        kernel: Release of the real one.
        cases: Cases they belong to.
        steps: Steps compared.
        events: Events of the real kernel among what was compared.
        calls: How many steps of each call.
        differences: In the order of the script.
        gaps: Steps that ours said it does not model; they are differences as well.
    """

    kernel: str
    cases: int
    steps: int
    events: int
    calls: dict[str, int]
    differences: tuple[Difference, ...]
    gaps: tuple[str, ...]


PATIENCE_S = 400
PATIENCE_PER_STEP_S = 0.5
"""Ten times what it takes on an idle machine."""


def play_real(machine: NestedMachine, cases: Cases = CASES) -> tuple[str, list[Answer]]:
    """Boot the machine and play the cases inside.

    Args:
        machine: Boots.
        cases: The script, if nothing else is given.

    Returns:
        The kernel's release, and per step the answer and the events.

    Raises:
        NestedRunError: It did not get to the end; names the step that it hung at.
        OSError: There is no QEMU.
    """
    steps = [step for case in cases.values() for step in case]
    try:
        left = machine.run(
            [sys.executable, "-B", "-m", _AGENT],
            devices=OPTIONS,
            files={"script.json": json.dumps(steps)},
            environment={"PYTHONPATH": str(Path(pyvirt_sim.__file__).parents[1])},
            patience_s=PATIENCE_S + PATIENCE_PER_STEP_S * len(steps),
        )
    except NestedRunError as error:
        answered = len(error.files.get("answers", "").splitlines())
        if answered < len(steps):
            error.add_note(f"after {answered} steps, at: {steps[answered]}")
        raise
    return left["kernel"], [json.loads(line) for line in left["answers"].splitlines()]


def compare(machine: NestedMachine, programs: int = 0, seed: int = 0) -> Comparison:
    """Play the script and then random programs on both kernels.

    Args:
        machine: Boots the real one.
        programs: How many.
        seed: The same seed makes the same programs.

    Raises:
        NestedRunError: The real one did not get to the end.
        OSError: There is no QEMU.
    """
    cases = {**CASES, **make_programs(programs, seed)}
    kernel, real = play_real(machine, cases)
    return compared(kernel, real, cases)


def compared(kernel: str, real: list[Answer], cases: Cases = CASES) -> Comparison:
    """Play the cases on ours and compare with what a real kernel answered."""
    named = [(case, step) for case, steps in cases.items() for step in steps]
    simulated = play_simulated(step for _, step in named)
    calls: dict[str, int] = {}
    found: list[Difference] = []
    pairs = zip(named, real, simulated, strict=True)
    for number, ((case, step), theirs, ours) in enumerate(pairs, start=1):
        calls[step.call] = calls.get(step.call, 0) + 1
        if theirs != ours:
            found.append(Difference(case, number, step, theirs, ours))
    gaps = [str(answer["answer"]) for answer in simulated]
    return Comparison(
        kernel=kernel,
        cases=len(cases),
        steps=len(named),
        events=sum(len(answer["events"]) for answer in real),
        calls=calls,
        differences=tuple(found),
        gaps=tuple(text for text in gaps if text.startswith(_GAP)),
    )
