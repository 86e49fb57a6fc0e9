"""Many generated programs, and what they covered."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random

import attrs

from pyvirt_sim.conformance.compare import Difference, Outcome, Play, run_program, shrink
from pyvirt_sim.conformance.families import FAMILIES, Scene
from pyvirt_sim.conformance.program import Message, Program, Step
from pyvirt_sim.conformance.real_arm import play_real
from pyvirt_sim.conformance.shapes import SHAPES
from pyvirt_sim.conformance.wire import answered
from pyvirt_sim.qemu import schema

MAX_SHRUNK = 3
"""How many differing programs are made small; the others are only counted."""


def generate(random: Random, shape: str | None = None) -> Program:
    """Make a program.

    Args:
        random: Decides everything; Hypothesis's serves as well.
        shape: The machine, drawn when ``None``.
    """
    if shape is None:
        weights = [one.weight for one in SHAPES.values()]
        (shape,) = random.choices(list(SHAPES), weights)
    families = [one for one in FAMILIES.values() if shape in one.shapes]
    scene = Scene(shape)
    chosen = random.choices(families, [one.weight for one in families], k=random.randint(1, 3))
    steps: list[Step] = []
    length = random.randint(4, 16)
    while len(steps) < length:
        steps += random.choice(chosen).generate(random, scene)
    return Program(shape, tuple(steps))


def programs(count: int, seed: int, shape: str | None = None) -> Iterator[Program]:
    """The programs of a seed, in order; more of them begin with the same ones."""
    for index in range(count):
        yield generate(Random(f"{seed}/{index}"), shape)


@attrs.define
class Report:
    """What a campaign compared.

    Attributes:
        programs: How many were played.
        replies: Replies compared, errors included.
        events: Events compared.
        commands_covered: Command -> how many replies; those QEMU does not know are left out.
        succeeded: Command -> how many replies that were no error.
        events_covered: Event -> how many.
        gaps: What the model refused -> how often.
        differing: How many programs differed.
        unsteady: Differences that were gone at a second try.
        differences: The first few of them, made small.
        seconds: Wall time.
    """

    programs: int = 0
    replies: int = 0
    events: int = 0
    commands_covered: Counter[str] = attrs.field(factory=Counter[str])
    succeeded: Counter[str] = attrs.field(factory=Counter[str])
    events_covered: Counter[str] = attrs.field(factory=Counter[str])
    gaps: Counter[str] = attrs.field(factory=Counter[str])
    differing: int = 0
    unsteady: list[Difference] = attrs.field(factory=list[Difference])
    differences: list[Difference] = attrs.field(factory=list[Difference])
    seconds: float = 0.0

    def add(self, outcome: Outcome) -> None:
        """Count one program."""
        self.programs += 1
        self.gaps.update(outcome.gaps)
        if outcome.unsteady is not None:
            self.unsteady.append(outcome.unsteady)
        for part in (*outcome.simulated.heard, outcome.simulated.after):
            for message in part:
                self._count(message, outcome.program)

    def _count(self, message: Message, program: Program) -> None:
        if "event" in message:
            self.events += 1
            self.events_covered[message["event"]] += 1
        elif "QMP" not in message:
            self.replies += 1
            name = answered(message, program)
            if name is not None and name in schema.COMMANDS:
                self.commands_covered[name] += 1
                self.succeeded[name] += "return" in message


def run_campaign(
    count: int,
    seed: int,
    play: Play | None = play_real,
    on_progress: Callable[[int], None] = lambda _: None,
    *,
    shape: str | None = None,
) -> Report:
    """Play the programs of a seed and compare.

    Args:
        count: How many programs.
        seed: Which.
        play: The other arm; ``None`` holds ours to the schema only.
        on_progress: Told how many are done.
        shape: The machine of all of them; drawn for each when ``None``.
    """
    report = Report()
    start = time.perf_counter()
    for program in programs(count, seed, shape):
        outcome = run_program(program, play)
        report.add(outcome)
        if outcome.difference is not None:
            report.differing += 1
            if len(report.differences) < MAX_SHRUNK:
                report.differences.append(_made_small(outcome.difference, play))
        on_progress(report.programs)
    report.seconds = time.perf_counter() - start
    return report


def _made_small(difference: Difference, play: Play | None) -> Difference:
    try:
        return shrink(difference.program, play)
    except AssertionError:  # it does not differ every time: shown as it was met
        return difference
