"""A failing schedule, explained: which promise, which few decisions, what differs from quiet."""

from __future__ import annotations

import difflib
import posixpath
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import cast

import attrs

from pyvirt_sim.checkers import PromiseBrokenError
from pyvirt_sim.checkers.promise import VERDICT_ACTOR
from pyvirt_sim.engine import Replay, Run, failure_kind, hunt, replay, simulate
from pyvirt_sim.engine.choosers import Portfolio
from pyvirt_sim.engine.deviation import Deviation, Witness
from pyvirt_sim.engine.tape import SCHEDULE
from pyvirt_sim.explore.subject import Subject

BATCH_SCHEDULES = 300
"""Schedules tried to answer "reachable with today's Trio scheduler": some two seconds' worth."""

QUIET_SCHEDULES = 200
"""Schedules tried to find a passing run when the canonical one fails."""


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
    """

    step: int
    time_s: float
    actor: str
    action: str
    is_decision: bool
    is_different: bool


@attrs.frozen(kw_only=True, eq=False)
class Finding:
    """All that is known of one failure.

    Args:
        subject: The program under test.
        run: The smallest failing run, replayed with details.
        quiet: A passing run of the same program, the canonical one if that passes; ``None`` when
            none was found in `QUIET_SCHEDULES`.
        promise: The broken promise; ``None`` when the program failed in another way.
        error: The failure itself.
        rows: The failing schedule, up to the checker's verdict when there is one.
        rows_after: How many lines follow it, while the program winds down.
        quiet_rows: The passing run's schedule, compared with the failing one.
        batch_schedule: After how many schedules the same failure was met under the policy of
            today's Trio; ``None`` when it was not met in `BATCH_SCHEDULES`.
    """

    subject: Subject
    run: Run
    quiet: Run | None
    promise: PromiseBrokenError | None
    error: BaseException
    rows: tuple[Row, ...]
    rows_after: int
    quiet_rows: tuple[Row, ...]
    batch_schedule: int | None

    @property
    def tape(self) -> str:
        """The one-line form of the schedule."""
        return self.run.tape.to_text()

    @property
    def replay_command(self) -> str:
        """What to paste into a shell to see it again."""
        return f"{_program()} replay {self.subject.name} --tape {self.tape}"


def _program() -> str:
    """How this shell reaches the command: by name, or as it was typed when the path lacks it."""
    typed = sys.argv[0]
    is_ours = posixpath.basename(typed) == "pyvirt-sim"
    return shlex.quote(typed) if is_ours and shutil.which("pyvirt-sim") is None else "pyvirt-sim"


def explain(subject: Subject, run: Run) -> Finding:
    """Replay a failing ``run`` of ``subject`` and say what is in it.

    Args:
        subject: The program under test; its bug is in place while this runs.
        run: A run that ended with an error.
    """
    assert run.error is not None, "only a failure needs an explanation"
    program = subject.scenario.program
    with subject.planted():
        witness = Witness(Replay(run.tape))
        is_batch, has_timers = run.tape.policy == "batch", run.tape.timers == "choice"
        detailed = simulate(
            program,
            chooser=witness,
            policy="batch" if is_batch else "any",
            timers="choice" if has_timers else "idle",
            detail=True,
        )
        quiet = _quiet(subject)
        kind = failure_kind(run.error)
        batch = hunt(
            program,
            Portfolio(0),
            BATCH_SCHEDULES,
            policy="batch",
            is_failure=lambda other: failure_kind(other.error) == kind,
        )
    assert detailed.digest == run.digest, "a recorded run replays to the same digest"
    rows = rows_of(detailed, quiet, witness.deviations)
    kept = _to_verdict(rows)
    return Finding(
        subject=subject,
        run=detailed,
        quiet=quiet,
        promise=promise_in(run.error),
        error=run.error,
        rows=kept,
        rows_after=len(rows) - len(kept),
        quiet_rows=() if quiet is None else rows_of(quiet, detailed),
        batch_schedule=batch.schedules if batch.found else None,
    )


def promise_in(error: BaseException | None) -> PromiseBrokenError | None:
    """The first broken promise in ``error``, groups and causes searched."""
    if isinstance(error, PromiseBrokenError):
        return error
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        found = (promise_in(inner) for inner in group.exceptions)
        return next((promise for promise in found if promise is not None), None)
    return None if error is None else promise_in(error.__cause__)


def rows_of(
    run: Run, other: Run | None = None, deviations: Sequence[Deviation] = ()
) -> tuple[Row, ...]:
    """What happened in a run: notes and decisions out of turn, by step.

    Args:
        run: The run, made with ``detail``.
        other: A run to compare with; lines that it lacks are marked.
        deviations: The decisions out of turn.
    """
    mine = _said(run)
    different = _not_in(mine, mine if other is None else _said(other))
    rows = [
        Row(note.step, note.time_s, *mine[index], False, index in different)
        for index, note in enumerate(run.notes)
    ]
    rows.extend(_decision(run, one) for one in deviations)
    return tuple(sorted(rows, key=lambda row: (row.step, not row.is_decision)))


def _decision(run: Run, deviation: Deviation) -> Row:
    """The step that a decision let run; notes made in it carry the number after it."""
    taken = run.trace[min(deviation.step, len(run.trace) - 1)]
    if deviation.stream != SCHEDULE:
        action = f"{deviation.label} = {deviation.chosen} instead of {deviation.expected}"
        return Row(taken.index + 1, taken.time_s, deviation.stream, action, True, True)
    where = f", at {taken.location.partition(' in ')[0]}" if taken.location else ""
    action = f"runs before {task_name(deviation.expected)!r}{where}"
    return Row(taken.index + 1, taken.time_s, task_name(taken.path), action, True, True)


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


def _to_verdict(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """The lines up to the checker's verdict: what follows is the program being wound down."""
    for number, row in enumerate(rows, 1):
        if row.actor == VERDICT_ACTOR:
            return rows[:number]
    return rows


def _quiet(subject: Subject) -> Run | None:
    """A passing run to compare with, made with ``detail``."""
    program = subject.scenario.program
    canonical = simulate(program, detail=True)
    if canonical.error is None:
        return canonical
    passing = hunt(
        program, Portfolio(0), QUIET_SCHEDULES, is_failure=lambda run: run.error is None
    ).found
    return None if passing is None else replay(program, passing.tape, detail=True)


def _not_in(mine: Sequence[object], usual: Sequence[object]) -> frozenset[int]:
    """Which of ``mine`` are not, in this order, among ``usual``."""
    matcher = difflib.SequenceMatcher(None, mine, usual, autojunk=False)
    matched = {
        index
        for block in matcher.get_matching_blocks()
        for index in range(block.a, block.a + block.size)
    }
    return frozenset(range(len(mine))) - matched


def _said(run: Run) -> list[tuple[str, str]]:
    return [(note.actor, _action(note.action, note.data)) for note in run.notes]


def _action(action: str, data: Mapping[str, object]) -> str:
    details = " ".join(f"{key}={value}" for key, value in data.items())
    return f"{action} {details}".rstrip()
