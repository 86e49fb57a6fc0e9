"""A failing schedule, explained: which promise, which few decisions, what differs from quiet."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

import attrs

from pyvirt_sim.checkers import PromiseBrokenError
from pyvirt_sim.engine import Run, failure_kind, hunt, replay, simulate
from pyvirt_sim.engine.choosers import Portfolio
from pyvirt_sim.explore.subject import Subject

BATCH_SCHEDULES = 300
"""Schedules tried to answer "reachable with today's Trio scheduler": some two seconds' worth."""


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
        quiet: The same program under the canonical schedule.
        promise: The broken promise; ``None`` when the program failed in another way.
        error: The failure itself.
        rows: The failing schedule.
        batch_schedule: After how many schedules the same failure was met under the policy of
            today's Trio; ``None`` when it was not met in `BATCH_SCHEDULES`.
    """

    subject: Subject
    run: Run
    quiet: Run
    promise: PromiseBrokenError | None
    error: BaseException
    rows: tuple[Row, ...]
    batch_schedule: int | None

    @property
    def tape(self) -> str:
        """The one-line form of the schedule."""
        return self.run.tape.to_text()

    @property
    def replay_command(self) -> str:
        """What to paste into a shell to see it again."""
        return f"pyvirt-sim replay {self.subject.name} --tape {self.tape}"


def explain(subject: Subject, run: Run) -> Finding:
    """Replay a failing ``run`` of ``subject`` and say what is in it.

    Args:
        subject: The program under test; its bug is in place while this runs.
        run: A run that ended with an error.
    """
    assert run.error is not None, "only a failure needs an explanation"
    program = subject.scenario.program
    with subject.planted():
        detailed = replay(program, run.tape, detail=True)
        quiet = simulate(program, detail=True)
        kind = failure_kind(run.error)
        batch = hunt(
            program,
            Portfolio(0),
            BATCH_SCHEDULES,
            policy="batch",
            is_failure=lambda other: failure_kind(other.error) == kind,
        )
    assert detailed.digest == run.digest, "a recorded run replays to the same digest"
    return Finding(
        subject=subject,
        run=detailed,
        quiet=quiet,
        promise=promise_in(run.error),
        error=run.error,
        rows=rows_of(detailed, quiet),
        batch_schedule=batch.schedules if batch.found else None,
    )


def promise_in(error: BaseException | None) -> PromiseBrokenError | None:
    """The first broken promise in ``error``, groups and causes searched."""
    if isinstance(error, PromiseBrokenError):
        return error
    if isinstance(error, BaseExceptionGroup):
        found = (promise_in(inner) for inner in error.exceptions)
        return next((promise for promise in found if promise is not None), None)
    return None if error is None else promise_in(error.__cause__)


def rows_of(run: Run, quiet: Run | None = None) -> tuple[Row, ...]:
    """What happened in a run: notes and deviating decisions, by step.

    Args:
        run: The run, made with ``detail``.
        quiet: A run to compare with; lines that it lacks are marked.
    """
    mine = _said(run)
    different = _not_in(mine, mine if quiet is None else _said(quiet))
    rows = [
        Row(note.step, note.time_s, *mine[index], False, index in different)
        for index, note in enumerate(run.notes)
    ]
    values = run.record.values
    for step, value in zip(run.record.choice_steps, values, strict=True):
        if value:
            taken = run.trace[step]
            where = f" at {taken.location}" if taken.location else ""
            action = f"goes first{where}; {value} were waiting longer"
            rows.append(Row(step, taken.time_s, _short(taken.path), action, True, True))
    return tuple(sorted(rows, key=lambda row: (row.step, not row.is_decision)))


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


def _short(path: str) -> str:
    """The last two names of a task's path are enough for a person."""
    return "/".join(path.split("/")[-2:])
