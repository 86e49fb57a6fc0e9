"""The piece of a campaign that one process does: one subject, one strategy, one seed."""

from __future__ import annotations

import time
from collections.abc import Iterator

import attrs

from pyvirt_sim.checkers.verdict import promise_in
from pyvirt_sim.engine import Run, failure_kind, hunt, shrink
from pyvirt_sim.engine.choosers.named import chooser_named
from pyvirt_sim.explore.finding import explain
from pyvirt_sim.explore.subject import Subject, subject_named

MAX_EXPLAINED = 8
"""Failures of one chunk that are shrunk and told apart; what looks like one of them is counted."""


@attrs.frozen(kw_only=True)
class Chunk:
    """What to do. Equal chunks have equal results, on any machine, timing aside.

    Args:
        subject: A mutant or a scenario.
        strategy: A chooser's name.
        seed: What the chooser begins with.
        schedules: How many runs at most.
        is_over_at_first: Whether the first failure ends it.
    """

    subject: str
    strategy: str
    seed: int
    schedules: int
    is_over_at_first: bool = False

    @property
    def name(self) -> str:
        """One word that tells it from the other chunks of a campaign."""
        return f"{self.subject}/{self.strategy}/{self.seed}/{self.schedules}"


@attrs.frozen(kw_only=True)
class Catch:
    """One kind of failure: those that one pair of steps decides are one.

    Args:
        pair: The checker or the error, and the two lines of code whose order decides.
        message: What went wrong.
        tape: The one-line tape of the smallest run found.
        digest: That run's digest: a replay must give it again.
        schedule: In which run of the chunk it was met first, from 1.
        count: How many runs failed so, as far as they can be told apart without being shrunk.
        deviations: Decisions out of turn that are left.
        shrink_s: How long shrinking took, seconds.
        is_batch: Whether today's Trio can do it.
    """

    pair: str
    message: str
    tape: str
    digest: str
    schedule: int
    count: int
    deviations: int
    shrink_s: float
    is_batch: bool


@attrs.frozen(kw_only=True)
class ChunkResult:
    """What one chunk did.

    Args:
        chunk: It.
        schedules: Runs made.
        failures: Runs that failed.
        steps: Task steps of all of them.
        seconds: How long it took, shrinking left out.
        ended: Why the strategy had no further run, if it had none.
        catches: The kinds of failure met, first met first.
        unexplained: Failures beyond `MAX_EXPLAINED` kinds.
        marks: By label of a `sometimes`, whether any run hit it.
    """

    chunk: Chunk
    schedules: int
    failures: int
    steps: int
    seconds: float
    ended: str = ""
    catches: tuple[Catch, ...] = ()
    unexplained: int = 0
    marks: dict[str, bool] = attrs.field(factory=dict[str, bool])


class _Failures:
    """The failing runs of a chunk, those that look alike kept once."""

    def __init__(self) -> None:
        self.firsts: dict[tuple[object, ...], tuple[int, Run]] = {}
        self.counts: dict[tuple[object, ...], int] = {}
        self.unexplained = 0
        self.total = 0

    def add(self, number: int, run: Run) -> None:
        self.total += 1
        promise = promise_in(run.error)
        looks = failure_kind(run.error) if promise is None else (promise.checker, promise.moment)
        if looks in self.firsts:
            self.counts[looks] += 1
        elif len(self.firsts) < MAX_EXPLAINED:
            self.firsts[looks] = (number, run)
            self.counts[looks] = 1
        else:
            self.unexplained += 1

    def __iter__(self) -> Iterator[tuple[int, Run, int]]:
        for looks, (number, run) in self.firsts.items():
            yield number, run, self.counts[looks]


def search(chunk: Chunk) -> ChunkResult:
    """Do ``chunk`` in this process.

    Raises:
        KeyError: There is no such subject or strategy.
    """
    subject = subject_named(chunk.subject)
    chooser = chooser_named(chunk.strategy, chunk.seed)
    failures = _Failures()
    marks: dict[str, bool] = {}
    number = 0

    def look(run: Run) -> bool:
        nonlocal number
        number += 1
        for label, was_hit in run.marks.items():
            marks[label] = was_hit or marks.get(label, False)
        if run.error is not None:
            failures.add(number, run)
        return chunk.is_over_at_first and run.error is not None

    start = time.perf_counter()
    with subject.planted():
        result = hunt(subject.scenario.program, chooser, chunk.schedules, is_failure=look)
    seconds = time.perf_counter() - start
    return ChunkResult(
        chunk=chunk,
        schedules=result.schedules,
        failures=failures.total,
        steps=result.total_steps,
        seconds=seconds,
        ended=result.ended,
        catches=tuple(_catch(subject, *one) for one in failures),
        unexplained=failures.unexplained,
        marks=marks,
    )


def _catch(subject: Subject, number: int, run: Run, count: int) -> Catch:
    start = time.perf_counter()
    with subject.planted():
        shrunk = shrink(subject.scenario.program, run).run
    shrink_s = time.perf_counter() - start
    finding = explain(subject, shrunk)
    promise, conflict = finding.promise, finding.explanation.conflict
    what = promise.checker if promise is not None else " ".join(failure_kind(run.error))
    order = "" if conflict is None else f": {conflict.first.location} > {conflict.second.location}"
    return Catch(
        pair=f"{what}{order}",
        message=str(finding.error if promise is None else promise),
        tape=finding.tape,
        digest=finding.run.digest,
        schedule=number,
        count=count,
        deviations=finding.run.deviations,
        shrink_s=shrink_s,
        is_batch=finding.explanation.reachable.schedule is not None,
    )
