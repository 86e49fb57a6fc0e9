"""One screen that tells which promise broke, by which few decisions, and how to see it again."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from pyvirt_sim.checkers import Observation
from pyvirt_sim.explore.finding import BATCH_SCHEDULES, Finding, Row

WIDTH = 100
MAX_ROWS = 24
"""Lines of the schedule on one screen: with what stands around them they fill 50 lines."""
MAX_QUIET_ROWS = 5
"""Lines told of the quiet run: enough to see what should have come first."""


def finding_as_text(finding: Finding) -> str:
    """The explanation of a failure as plain text of at most `WIDTH` columns, the last line aside.

    The last line is the replay command; it is one line however long, so that it can be pasted.
    """
    return "\n".join(line.rstrip() for line in _lines(finding)) + "\n"


def _lines(finding: Finding) -> Iterator[str]:
    promise = finding.promise
    if promise is None:
        yield f"FAILED: {type(finding.error).__name__}"
        yield from _wrapped(str(finding.error))
    else:
        yield f"BROKEN PROMISE ({promise.checker})"
        yield from _wrapped(promise.promise)
        yield from _wrapped(f"Broken when {promise.moment}:")
        yield ""
        yield from _observations(promise.observations)
    yield ""
    yield "THE SCHEDULE (> the scheduler decided out of turn, * the quiet run does not do it here)"
    yield f"  {'time':>8}  {'actor':22} action"
    yield from _schedule(finding.rows)
    if finding.rows_after:
        yield f"  {'':8}  ... {finding.rows_after} more lines while the program is wound down"
    yield from _instead(finding)
    yield ""
    run = finding.run
    yield f"{run.steps} steps, {run.choices} choices, {run.tape.deviations} out of turn."
    yield f"Reachable with today's Trio scheduler (policy batch): {_reachable(finding)}"
    yield f"Trace digest: {run.digest}"
    yield "Replay it:"
    yield f"  {finding.replay_command}"


def _observations(observations: Sequence[Observation]) -> Iterator[str]:
    question = max(len("question"), *(len(one.question) for one in observations))
    expected = max(len("expected"), *(len(one.expected) for one in observations))
    yield f"  {'question':{question}}  {'expected':{expected}}  seen"
    for one in observations:
        mark = " " if one.is_as_promised else "!"
        line = f"{mark} {one.question:{question}}  {one.expected:{expected}}  {one.seen}"
        if len(line) <= WIDTH:
            yield line
        else:
            yield from _wrapped(f"{one.question} expected: {one.expected}; seen: {one.seen}", mark)


def _schedule(rows: Sequence[Row]) -> Iterator[str]:
    """Every marked line, and of the others the last ones, as many as fit."""
    marked = sum(row.is_decision or row.is_different for row in rows)
    to_leave_out = max(0, len(rows) - max(MAX_ROWS, marked))
    gap = 0
    for row in rows:
        if gap < to_leave_out and not (row.is_decision or row.is_different):
            gap += 1
            continue
        if gap:
            yield f"  {'':8}  ... {gap} lines as in the quiet run"
            to_leave_out, gap = to_leave_out - gap, 0
        yield _line(row)


def _instead(finding: Finding) -> Iterator[str]:
    """What the quiet run does and the failing one does not."""
    if finding.quiet is None:
        yield "No schedule was found that passes."
        return
    missing = [row for row in finding.quiet_rows if row.is_different]
    if not missing:
        return
    yield "The quiet run does this, the failing one does not:"
    yield from (_line(row) for row in missing[:MAX_QUIET_ROWS])
    if len(missing) > MAX_QUIET_ROWS:
        yield f"  {'':8}  ... {len(missing) - MAX_QUIET_ROWS} more lines"


def _line(row: Row) -> str:
    mark = ">" if row.is_decision else "*" if row.is_different else " "
    line = f"{mark} {row.time_s:7.3f}s  {_clipped(row.actor, 22):22} {row.action}"
    return _clipped(line, WIDTH)


def _clipped(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _reachable(finding: Finding) -> str:
    if finding.batch_schedule is None:
        return f"not met in {BATCH_SCHEDULES} schedules"
    return f"yes, schedule {finding.batch_schedule} of a hunt under it"


def _wrapped(text: str, mark: str = " ") -> Iterator[str]:
    for line in text.splitlines():
        yield from textwrap.wrap(line, WIDTH, initial_indent=f"{mark} ", subsequent_indent="    ")
