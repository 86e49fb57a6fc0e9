"""A run as lines to read: what was noted in it, and the decisions out of turn."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Final

import attrs

from pyvirt_sim.engine.deviation import Deviation
from pyvirt_sim.engine.point import TIMER
from pyvirt_sim.engine.record import Note, Run, Step
from pyvirt_sim.engine.tape import SCHEDULE

__all__ = ["Row", "rows_of", "short_names", "task_name"]


@attrs.frozen
class Row:
    """One line of a schedule.

    Args:
        step: Number of the task step in the run.
        time_s: Virtual time, seconds.
        actor: Who.
        action: Does what.
        is_decision: The scheduler took another task than in the canonical schedule.
        is_different: The quiet run has no such line at this place.
        is_fault: The world did what no program asked for: a drawn fault, a crash, a cut link.
    """

    step: int
    time_s: float
    actor: str
    action: str
    is_decision: bool
    is_different: bool
    is_fault: bool = False


Line = tuple[str, str]

INIT_TASK: Final = "<init>"
STARTED_BY_INIT: Final = f"started by {INIT_TASK}"
FAULTS: Final = "faults"
"""The stream of draws that decide what goes wrong."""

LEAD_UP: Final = 4
"""Steps told before each thing that happened, where only the engine has noted something."""
MAX_LOCATION: Final = 40
MAX_COMPARED: Final = 3000
"""Lines that are compared with another run; finding the differences takes their square in time."""


def rows_of(
    run: Run, other: Run | None = None, deviations: Sequence[Deviation] = ()
) -> tuple[Row, ...]:
    """What happened in a run, by step: notes, steps if the program noted nothing, and decisions.

    What the program does while the engine winds it down is left out.

    Args:
        run: The run, made with ``detail``.
        other: A run to compare with; lines that it lacks are marked.
        deviations: The decisions out of turn.
    """
    short = short_names(run)
    end = run.record.aborted_at
    decided = {deviation.step for deviation in deviations if deviation.stream == SCHEDULE}
    notes = [*run.notes, *(() if other is None else other.notes)]
    mine = _happened(run, notes, short, decided)
    usual = [] if other is None else [line for *_, line in _happened(other, notes, short, ())]
    if end is not None:
        mine = [line for line in mine if line[0] <= end]
    lines = [line for _, _, line in mine]
    different = frozenset[int]() if other is None else _not_in(lines, usual)
    own = {_noted(note) for note in notes if note.is_own}
    rows = [
        Row(step, time_s, *line, False, index in different, line in own)
        for index, (step, time_s, line) in enumerate(mine)
    ]
    rows.extend(_decision(run, one, short) for one in deviations)
    return tuple(sorted(rows, key=lambda row: (row.step, not row.is_decision)))


def _happened(
    run: Run, notes: Sequence[Note], short: Callable[[str], str], decided: Collection[int]
) -> list[tuple[int, float, Line]]:
    """What to tell of a run that is shown, or compared, with ``notes``.

    Steps only, if there are no notes; notes only, if the program speaks for itself. Where only the
    engine has noted something (a crash, a link that was cut), also the steps that lead up to that,
    to a decision and to the end: they say where the program was.
    """
    end = len(run.trace) if run.record.aborted_at is None else run.record.aborted_at
    moments = {end, *(step + 1 for step in decided), *(note.step for note in run.notes)}
    has_said = not all(note.is_own for note in notes)
    happened = [
        (step.index + 1, step.time_s, _stepped(step, short))
        for step in (() if has_said else run.trace)
        if step.index not in decided and step.path != INIT_TASK
        if not notes or any(0 <= moment - step.index <= LEAD_UP for moment in moments)
    ]
    # Behind the step in which they were made.
    happened += [(note.step, note.time_s, _noted(note)) for note in run.notes]
    return sorted(happened, key=lambda one: one[0])


def _noted(note: Note) -> Line:
    words = [note.action, *(f"{key}={value}" for key, value in note.data.items())]
    return note.actor, " ".join(" ".join(words).split())  # one line, whatever is in it


def _stepped(step: Step, short: Callable[[str], str]) -> Line:
    if step.path == TIMER:
        return TIMER, step.cause
    if step.cause == STARTED_BY_INIT:
        return short(step.path), "starts"
    verb, by, who = step.cause.partition(" by ")
    cause = f"{verb}{by}{short(who)}"  # "its deadline" is nobody's path and stays
    why = f", {cause}" if cause not in ("", "checkpoint") else ""
    return short(step.path), f"goes on at {_line_of(step)}{why}"


def _line_of(step: Step) -> str:
    """The file and line where a step goes on; of a long name the end, which tells files apart."""
    line = step.location.partition(" in ")[0]
    return line if len(line) <= MAX_LOCATION else f"…{line[1 - MAX_LOCATION :]}"


def _decision(run: Run, deviation: Deviation, short: Callable[[str], str]) -> Row:
    """The step that a decision let run; notes made in it carry the number after it."""
    taken = run.trace[min(deviation.step, len(run.trace) - 1)]
    if deviation.stream != SCHEDULE:
        action = f"{deviation.label} = {deviation.chosen} instead of {deviation.expected}"
        is_fault = deviation.stream == FAULTS
        return Row(taken.index + 1, taken.time_s, deviation.stream, action, True, True, is_fault)
    where = f", at {_line_of(taken)}" if taken.location else ""
    action = f"runs before {short(deviation.expected)!r}{where}"
    return Row(taken.index + 1, taken.time_s, short(taken.path), action, True, True)


def short_names(run: Run) -> Callable[[str], str]:
    """Return what to call a task: its own name, with its number where several are called so."""
    record = run.record
    counts = Counter(task_name(record.path(number)) for number in range(len(record.task_names)))

    def short(path: str) -> str:
        name = task_name(path)
        if counts[name] <= 1:
            return name
        return f"{name}[{path.rpartition('[')[2]}" if path.endswith("]") else path

    return short


def task_name(path: str) -> str:
    """A task's own name, from its path: ``remove hostdev0``.

    Names may contain slashes; a slash that parts two tasks stands after ``[number]``, except
    below the program's main task, whose name is bare.
    """
    if path.endswith("]"):
        path = path.rpartition("[")[0]
        last = path.rpartition("]/")[2]
        return last if "]/" in path else last.partition("/")[2] or last
    return path


def _not_in(mine: Sequence[Line], usual: Sequence[Line]) -> frozenset[int]:
    """Which of ``mine`` are not, in this order, among ``usual``."""
    if len(mine) + len(usual) > MAX_COMPARED:
        return frozenset()
    matcher = difflib.SequenceMatcher(None, mine, usual, autojunk=False)
    matched = {
        index
        for block in matcher.get_matching_blocks()
        for index in range(block.a, block.a + block.size)
    }
    return frozenset(range(len(mine))) - matched
