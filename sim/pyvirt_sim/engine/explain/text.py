"""One screen of plain text that explains a failure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Final, cast

from pyvirt_sim.engine.errors import DeadlockError, StepLimitError
from pyvirt_sim.engine.explain.explanation import Explanation
from pyvirt_sim.engine.explain.rows import Row
from pyvirt_sim.engine.record import Step

__all__ = [
    "WIDTH",
    "explanation_as_text",
    "facts",
    "pair",
    "schedule",
    "told_by_itself",
    "wrapped",
]

WIDTH: Final = 100
MAX_ROWS: Final = 24
"""Lines of the schedule on one screen: with what stands around them they fill 50 lines."""
NEAR: Final = 3
"""Lines shown on both sides of a decision, if there is room."""
MAX_QUIET_ROWS: Final = 5
"""Lines told of the quiet run: enough to see what should have come first."""
MAX_MESSAGE: Final = 12
"""Lines told of an error that says more than one screen can hold."""


def explanation_as_text(explanation: Explanation, replay_command: str) -> str:
    """Return the explanation as plain text of at most `WIDTH` columns, the last line aside.

    Args:
        explanation: what to tell.
        replay_command: what to paste into a shell to see it again; one line, however long.
    """
    return "\n".join(line.rstrip() for line in _lines(explanation, replay_command)) + "\n"


def _lines(explanation: Explanation, replay_command: str) -> Iterator[str]:
    yield from told_by_itself(explanation)
    yield from schedule(explanation, explanation.rows)
    yield from pair(explanation)
    yield ""
    yield from facts(explanation)
    yield "Replay it:"
    yield f"  {replay_command}"


def told_by_itself(explanation: Explanation) -> Iterator[str]:
    """What the failure says, when it is the engine that found it: the wait graph, who spins."""
    error = explanation.error
    yield f"FAILED: {type(error).__name__}"
    if not isinstance(error, (DeadlockError, StepLimitError)):
        lines = list(wrapped(_message(error)))
        yield from lines[:MAX_MESSAGE]
        if len(lines) > MAX_MESSAGE:
            yield f"  ... {len(lines) - MAX_MESSAGE} more lines"
    else:
        yield from wrapped(str(error))
    yield ""


def _message(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        leaves = _leaves(cast("BaseException", error))
        return "\n".join(f"{type(leaf).__name__}: {leaf}".rstrip(": ") for leaf in leaves)
    return str(error)


def _leaves(error: BaseException) -> list[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    group = cast("BaseExceptionGroup[BaseException]", error)
    return [leaf for one in group.exceptions for leaf in _leaves(one)]


def schedule(explanation: Explanation, rows: Sequence[Row], rows_after: int = 0) -> Iterator[str]:
    """The failing schedule, and what the quiet run does instead.

    Args:
        explanation: of the failure.
        rows: the lines to show.
        rows_after: how many lines follow them, while the program winds down.
    """
    yield "THE SCHEDULE (> the scheduler decided out of turn, * the quiet run does not do it here)"
    yield f"  {'time':>8}  {'actor':22} action"
    shown = _most_telling(rows)
    gap = 0
    for index, row in enumerate(rows):
        if index not in shown:
            gap += 1
            continue
        if gap:
            yield _gap(rows[index - gap : index])
            gap = 0
        yield _line(row)
    if gap:
        yield _gap(rows[len(rows) - gap :])
    if rows_after:
        yield f"  {'':8}  ... {rows_after} more lines while the program is wound down"
    yield from _instead(explanation)


def _gap(rows: Sequence[Row]) -> str:
    """Stand for lines that are left out."""
    number = "line" if len(rows) == 1 else "lines"
    what = "of the same" if len({(row.actor, row.action) for row in rows}) == 1 else "more"
    return f"  {'':8}  ... {len(rows)} {number} {what}"


def _most_telling(rows: Sequence[Row]) -> set[int]:
    """Choose the lines to show: decisions, the end, what differs, and what stands around it."""
    places = range(len(rows))
    # Of lines that say the same one after the other, the first is enough.
    news = [index for index in places if not index or not _says_same(rows[index - 1], rows[index])]
    decided = [index for index in places if rows[index].is_decision]
    order = [
        *decided,
        *reversed(news[-2:]),
        *(index for index in news if rows[index].is_different),
        *(near for index in decided for near in news if abs(near - index) <= NEAR),
        *reversed(news),
    ]
    return set(list(dict.fromkeys(order))[:MAX_ROWS])


def _says_same(first: Row, second: Row) -> bool:
    return (first.actor, first.action) == (second.actor, second.action) and not second.is_decision


def _instead(explanation: Explanation) -> Iterator[str]:
    """What the quiet run does and the failing one does not."""
    if explanation.quiet is None:
        yield "No schedule was found that passes."
        return
    missing = [row for row in explanation.quiet_rows if row.is_different]
    if not missing:
        return
    yield "The quiet run does this, the failing one does not:"
    yield from (_line(row) for row in missing[:MAX_QUIET_ROWS])
    if len(missing) > MAX_QUIET_ROWS:
        yield f"  {'':8}  ... {len(missing) - MAX_QUIET_ROWS} more lines"


def pair(explanation: Explanation) -> Iterator[str]:
    """The two steps whose order decides; else where the nearest passing run parts."""
    conflict, nearest = explanation.conflict, explanation.nearest
    if conflict is not None:
        yield "THE ORDER THAT DECIDES (both were run, alike up to here)"
        yield from wrapped(f"fails: {_step(conflict.first)} before {_step(conflict.second)}")
        yield from wrapped(f"passes: {conflict.second.path} first")
    for draw in explanation.deciding_draws:
        yield f"THE DRAW THAT DECIDES: {draw.label} = {draw.chosen}; with {draw.expected} it passes"
    if conflict is None and nearest is not None:
        yield f"THE NEAREST PASSING RUN is the same for {nearest.step} steps"
        failing = "has ended" if nearest.failing is None else f"runs {_step(nearest.failing)}"
        yield from wrapped(f"then this one {failing}")
        yield from wrapped(f"and that one runs {_step(nearest.passing)}")


def _step(step: Step) -> str:
    return f"{step.path} at {step.location}" if step.location else step.path


def facts(explanation: Explanation) -> Iterator[str]:
    """The numbers, whether today's Trio can do it, and the digest."""
    run = explanation.run
    yield f"{run.steps} steps, {run.choices} choices, {run.tape.deviations} out of turn."
    batch = explanation.reachable
    if batch.schedule is None:
        reachable = f"not met in {batch.tried} schedules"
        if batch.is_complete:
            reachable = f"no, none of its {batch.tried} schedules fails so"
    elif batch.schedule == 0:
        reachable = "yes, by these decisions" if run.tape.deviations else "yes, canonically"
    else:
        reachable = f"yes, schedule {batch.schedule} of a hunt under it"
    yield f"Reachable with today's Trio scheduler (policy batch): {reachable}"
    yield f"Trace digest: {run.digest}"


def wrapped(text: str, mark: str = " ") -> Iterator[str]:
    """Break a text into lines of at most `WIDTH`, behind ``mark``."""
    for line in text.splitlines():
        indent = " " * (len(line) - len(line.lstrip()))
        yield from textwrap.wrap(
            line.strip(),
            WIDTH,
            initial_indent=f"{mark} {indent}",
            subsequent_indent=f"    {indent}",
        )


def _line(row: Row) -> str:
    mark = ">" if row.is_decision else "*" if row.is_different else " "
    line = f"{mark} {row.time_s:7.3f}s  {_clipped(row.actor, 22):22} {row.action}"
    return _clipped(line, WIDTH)


def _clipped(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
