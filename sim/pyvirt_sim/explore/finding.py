"""A failing schedule of a subject, explained: the engine's explanation and the broken promise."""

from __future__ import annotations

import posixpath
import shlex
import shutil
import sys

import attrs

from pyvirt_sim.checkers import PromiseBrokenError
from pyvirt_sim.checkers.promise import VERDICT_ACTOR
from pyvirt_sim.checkers.verdict import promise_in
from pyvirt_sim.engine import Run
from pyvirt_sim.engine.explain import Explanation, Row
from pyvirt_sim.engine.explain import explain as explain_run
from pyvirt_sim.explore.subject import Subject


@attrs.frozen(kw_only=True, eq=False)
class Finding:
    """All that is known of one failure.

    Args:
        subject: The program under test.
        explanation: What the engine found out.
        promise: The broken promise; ``None`` when the program failed in another way.
        rows: The failing schedule, up to the checker's verdict when there is one.
    """

    subject: Subject
    explanation: Explanation
    promise: PromiseBrokenError | None
    rows: tuple[Row, ...]

    @property
    def run(self) -> Run:
        """The smallest failing run, replayed with details."""
        return self.explanation.run

    @property
    def error(self) -> BaseException:
        """The failure itself."""
        return self.explanation.error

    @property
    def rows_after(self) -> int:
        """How many lines follow `rows`, while the program winds down."""
        return len(self.explanation.rows) - len(self.rows)

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
    with subject.planted():
        explanation = explain_run(subject.scenario.program, run)
    return Finding(
        subject=subject,
        explanation=explanation,
        promise=promise_in(run.error),
        rows=_to_verdict(explanation.rows),
    )


def _to_verdict(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """The lines up to the checker's verdict: what follows is the program being wound down."""
    for number, row in enumerate(rows, 1):
        if row.actor == VERDICT_ACTOR:
            return rows[:number]
    return rows
