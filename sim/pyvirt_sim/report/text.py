"""One screen that tells which promise broke, by which few decisions, and how to see it again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyvirt_sim.checkers import Observation
from pyvirt_sim.engine.explain.text import WIDTH, facts, pair, schedule, told_by_itself, wrapped
from pyvirt_sim.explore.finding import Finding


def finding_as_text(finding: Finding) -> str:
    """The explanation of a failure as plain text of at most `WIDTH` columns, the last line aside.

    The last line is the replay command; it is one line however long, so that it can be pasted.
    """
    return "\n".join(line.rstrip() for line in _lines(finding)) + "\n"


def _lines(finding: Finding) -> Iterator[str]:
    promise, explanation = finding.promise, finding.explanation
    if promise is None:
        yield from told_by_itself(explanation)
    else:
        yield f"BROKEN PROMISE ({promise.checker})"
        yield from wrapped(promise.promise)
        yield from wrapped(f"Broken when {promise.moment}:")
        yield ""
        yield from _observations(promise.observations)
        yield ""
    yield from schedule(explanation, finding.rows, finding.rows_after)
    yield from pair(explanation)
    yield ""
    yield from facts(explanation)
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
            yield from wrapped(f"{one.question} expected: {one.expected}; seen: {one.seen}", mark)
