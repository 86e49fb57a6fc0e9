"""What each place in the removal table is for: permute a row, and see which promise breaks.

Two sorts of permutation. *Early* rows announce before one of the earlier steps, which is what
libvirt did (bug 1658198). *Swapped* rows exchange two neighbouring steps. In the table the last
record steps share one commit, in which their order cannot be observed, and some steps happen to
take no time; so early rows have a checkpoint behind the event, as if somebody had made the commit
there.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial

import attrs
import trio

from pyvirt_sim.prove.kinds import Kind
from pyvirt_sim.prove.search import Story, sample
from pyvirt_sim.prove.unplug import RIVALS, play
from pyvirt_sim.prove.waiting import case_named
from pyvirt_trio.driver.removal import (
    ANNOUNCE,
    QUERY_VCPUS,
    REMOVAL_TABLE,
    TAKE_OFFLINE,
    Removal,
    Step,
    WorkStep,
)

SCHEDULES = 200
"""In fewer than that each early row must be found."""
SWAPPED_SCHEDULES = 50
"""Of each story, for rows of which many break nothing that anybody can see; what does break, does
so on the first few."""


async def _break_up(_: Removal) -> None:
    await trio.lowlevel.checkpoint()


BREAK = WorkStep("a checkpoint", _break_up)


@attrs.frozen(kw_only=True)
class Permutation:
    """A row in another order.

    Args:
        change: What was moved, in words.
        is_early: Whether the event comes before a step that it tells of.
        row: The steps.
    """

    change: str
    is_early: bool
    row: tuple[Step, ...]


@attrs.frozen(kw_only=True)
class Sensitivity:
    """What became of one permutation.

    Args:
        kind: The device.
        change: What was moved.
        is_early: Whether the event came before a step that it tells of.
        row: The names of the steps, in order.
        broken: The checker that fired, or the class of the error; ``None`` when nothing broke.
        violation: What broke, in one line.
        story: In which story.
        schedules: How many schedules ran until then, all rivals together.
    """

    kind: str
    change: str
    is_early: bool
    row: tuple[str, ...]
    broken: str | None
    violation: str | None
    story: str | None
    schedules: int

    @property
    def is_found_in_time(self) -> bool:
        """Whether it was found in fewer than `SCHEDULES`."""
        return self.broken is not None and self.schedules < SCHEDULES


def permutations(row: tuple[Step, ...]) -> Iterator[Permutation]:
    """The rows that announce early, then those with two neighbours exchanged."""
    # Of a processor nobody is told: what counts is when it is reported offline.
    told = TAKE_OFFLINE if TAKE_OFFLINE in row else ANNOUNCE
    last = row.index(told)
    rest = row[:last] + row[last + 1 :]
    for place in range(last):
        change = f"announce before '{row[place].name}'"
        moved = (*rest[:place], told, BREAK, *rest[place:])
        # A question to QEMU before it is believed: nothing that has to be done.
        is_early = row[place] is not QUERY_VCPUS
        yield Permutation(change=change, is_early=is_early, row=moved)
    for place in range(last - 1):
        first, second = row[place], row[place + 1]
        change = f"'{second.name}' before '{first.name}'"
        moved = (*row[:place], second, first, *row[place + 2 :])
        yield Permutation(change=change, is_early=False, row=moved)


def _stories(kind: Kind) -> Iterator[tuple[str, Story]]:
    """What may bring it to light: a conflicting call, or a guest that keeps the device."""
    for rival in RIVALS:
        yield f"rival: {rival.name}", partial(play, kind, rival)
    refused = partial(case_named("refused").play, kind=kind)
    if sample("", refused, 1).violation is None:  # else nobody asks the guest: USB, SCSI and more
        yield "the guest refuses", refused


@contextmanager
def planted(kind: Kind, row: tuple[Step, ...]) -> Generator[None]:
    """The removal of this type follows ``row``, for the length of the block."""
    correct = REMOVAL_TABLE[kind.model]
    REMOVAL_TABLE[kind.model] = row
    try:
        yield
    finally:
        REMOVAL_TABLE[kind.model] = correct


def sensitivities(kind: Kind, schedules: int = SCHEDULES) -> Iterator[Sensitivity]:
    """Plant each permutation of the row of ``kind``, and look for what breaks.

    Args:
        kind: The device.
        schedules: How many may run for each permutation and story; `SWAPPED_SCHEDULES` at most
            where the event does not come early.
    """
    stories = list(_stories(kind))
    for permutation in permutations(REMOVAL_TABLE[kind.model]):
        ran, found = 0, None
        limit = schedules if permutation.is_early else min(schedules, SWAPPED_SCHEDULES)
        with planted(kind, permutation.row):
            for name, story in stories:
                part = sample(name, story, limit)
                ran += part.runs
                if part.violation is not None:
                    found = part
                    break
        yield Sensitivity(
            kind=kind.name,
            change=permutation.change,
            is_early=permutation.is_early,
            row=tuple(step.name for step in permutation.row),
            broken=None if found is None else found.broken,
            violation=None if found is None else found.violation,
            story=None if found is None else found.name,
            schedules=ran,
        )
