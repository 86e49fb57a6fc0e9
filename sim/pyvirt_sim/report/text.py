"""One screen that tells which promise broke, by which few decisions, and how to see it again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyvirt_sim.explore.finding import BATCH_SCHEDULES, Finding, Row

WIDTH = 100
MAX_ROWS = 26
"""Lines of the schedule on one screen: with what stands around them they fill 50 lines."""


def finding_as_text(finding: Finding) -> str:
    """The explanation of a failure as plain text of at most `WIDTH` columns, the last line aside.

    The last line is the replay command; it is one line however long, so that it can be pasted.
    """
    return "\n".join(_lines(finding)) + "\n"


def _lines(finding: Finding) -> Iterator[str]:
    promise = finding.promise
    if promise is None:
        yield f"FAILED: {type(finding.error).__name__}"
        yield from _wrapped(str(finding.error))
    else:
        yield f"BROKEN PROMISE ({promise.checker})"
        yield f"  {promise.promise}"
        yield f"  Broken when {promise.moment}:"
        yield ""
        yield f"  {'question':60} {'expected':10} seen"
        for one in promise.observations:
            mark = " " if one.is_as_promised else "!"
            yield f"{mark} {one.question:60} {one.expected:10} {one.seen}"
    yield ""
    yield "THE SCHEDULE (* what the quiet run does not do here, > what the scheduler decided)"
    yield f"  {'time':>8}  {'actor':30} action"
    yield from _schedule(finding.rows)
    yield ""
    run = finding.run
    yield f"{run.steps} steps, {run.choices} choices, {run.deviations} not canonical."
    yield f"Reachable with today's Trio scheduler (policy batch): {_reachable(finding)}"
    yield f"Trace digest: {run.digest}"
    yield "Replay it:"
    yield f"  {finding.replay_command}"


def _schedule(rows: Sequence[Row]) -> Iterator[str]:
    left_out = max(0, len(rows) - MAX_ROWS)
    if left_out:
        first = next((i for i, row in enumerate(rows) if row.is_decision), len(rows))
        start = min(first, left_out)
        yield f"  {'':8}  ... {start} lines as in the quiet run" if start else "  ..."
        rows = rows[start:]
    for row in rows:
        mark = ">" if row.is_decision else "*" if row.is_different else " "
        line = f"{mark} {row.time_s:7.3f}s  {row.actor[:30]:30} {row.action}"
        yield line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"


def _reachable(finding: Finding) -> str:
    if finding.batch_schedule is None:
        return f"not met in {BATCH_SCHEDULES} schedules"
    return f"yes, schedule {finding.batch_schedule} of a hunt under it"


def _wrapped(text: str) -> Iterator[str]:
    for line in text.splitlines():
        for start in range(0, max(1, len(line)), WIDTH - 2):
            yield "  " + line[start : start + WIDTH - 2]
