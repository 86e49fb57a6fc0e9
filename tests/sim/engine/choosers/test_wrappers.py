"""Wrappers: they add what they promise and change nothing of what the chooser inside decides."""

from __future__ import annotations

import itertools

import pytest
import trio

from pyvirt_sim.engine import (
    DeterminismCheck,
    Dpor,
    Exhaustive,
    Metrics,
    NondeterminismError,
    PartialOrderSampling,
    Pct,
    PreemptionBound,
    RandomWalk,
    SearchExhausted,
    TimeBox,
    TimeBoxExpired,
    UniformWalk,
    draw,
    hunt,
    note,
    simulate,
)
from tests.sim.engine.choosers.programs import tasks_of
from tests.sim.engine.choosers.reducible import counters
from tests.sim.engine.programs import busy

CHOOSERS = [
    lambda: RandomWalk(3),
    lambda: Pct(3, 2),
    lambda: UniformWalk(3),
    lambda: PartialOrderSampling(3),
    lambda: PreemptionBound(1),
    Exhaustive,
    Dpor,
]
WRAPPERS = [
    Metrics,
    lambda inner: TimeBox(inner, 1, lambda: 0),
    lambda inner: Metrics(TimeBox(inner, 1, lambda: 0), lambda: 0),
]


def ticking():
    """Return a clock that moves one second whenever it is read."""
    return itertools.count().__next__


def never(run):
    return False


@pytest.mark.parametrize("make", CHOOSERS)
@pytest.mark.parametrize("wrap", WRAPPERS)
def test_a_wrapped_chooser_makes_the_same_runs(make, wrap):
    bare, wrapped = make(), wrap(make())
    program = counters(3, 2)
    for _ in range(4):
        assert simulate(program, chooser=wrapped).digest == simulate(program, chooser=bare).digest
    assert repr(wrapped) == repr(bare)


def test_metrics_count_what_the_runs_say():
    metrics = Metrics(RandomWalk(1), ticking())

    async def program():
        await tasks_of(2, 2)()
        if draw("faults", "fail", 2):
            raise ValueError

    runs = [simulate(program, chooser=metrics) for _ in range(20)]
    assert metrics.runs == 20
    assert metrics.failures == sum(run.error is not None for run in runs) > 0
    assert metrics.choices == sum(run.choices for run in runs)
    assert (metrics.steps_min, metrics.steps_max) == (
        min(run.steps for run in runs),
        max(run.steps for run in runs),
    )
    assert metrics.steps_mean == sum(run.steps for run in runs) / 20
    assert metrics.elapsed_s == 20
    assert "20 runs" in str(metrics)


def test_metrics_count_what_was_given_up():
    class Raises(RandomWalk):
        def choose(self, point):
            raise KeyError

    metrics = Metrics(Raises(1))
    with pytest.raises(KeyError):
        simulate(tasks_of(2, 2), chooser=metrics)
    assert (metrics.runs, metrics.abandoned) == (0, 1)


def test_a_time_box_starts_no_run_when_its_time_is_up():
    result = hunt(tasks_of(2, 2), TimeBox(RandomWalk(1), 5, ticking()), 1000)
    assert result.schedules == 5
    assert not result.is_exhausted
    assert "5 s" in result.ended


def test_a_time_box_stays_shut():
    box = TimeBox(RandomWalk(1), 0, ticking())
    simulate(tasks_of(2, 2), chooser=box)
    for _ in range(2):
        with pytest.raises(TimeBoxExpired):
            simulate(tasks_of(2, 2), chooser=box)


def test_a_search_inside_may_end_first():
    result = hunt(tasks_of(2, 2), TimeBox(Metrics(Exhaustive()), 1e9, ticking()), 1000)
    assert (result.schedules, result.is_exhausted) == (6, True)


@pytest.mark.parametrize("every", [1, 3])
def test_every_nth_run_is_repeated(every):
    check = DeterminismCheck(RandomWalk(1), every)
    digests = [simulate(busy, chooser=check).digest for _ in range(4 * every + 4)]
    bare = RandomWalk(1)
    originals = [simulate(busy, chooser=bare).digest for _ in range(4 * every)]
    expected = []
    for number, digest in enumerate(originals, 1):
        expected += [digest, digest] if number % every == 0 else [digest]
    assert digests == expected
    assert check.checks == 4


def test_other_choices_in_the_repeated_run_are_named():
    runs = []

    async def program():
        runs.append(1)
        await tasks_of(*[2] * (2 + len(runs) % 2))()

    with pytest.raises(NondeterminismError, match="step 2"):
        hunt(program, DeterminismCheck(RandomWalk(1), 1), 10)


@pytest.mark.parametrize(
    ("differ", "expected"),
    [
        (lambda n: note("who", "did", n=n), "the note"),
        (lambda n: draw("data", f"label {n}", 2), "draw 0 of data|label"),
    ],
)
def test_other_contents_of_the_repeated_run_are_named(differ, expected):
    runs = []

    async def program():
        runs.append(1)
        await trio.lowlevel.checkpoint()
        differ(len(runs))

    check = DeterminismCheck(RandomWalk(1), 1)
    with pytest.raises(NondeterminismError, match=expected):
        hunt(program, check, 2)


def test_another_end_of_the_repeated_run_is_named():
    runs = []

    async def program():
        runs.append(1)
        if len(runs) == 2:
            raise ValueError("only now")

    with pytest.raises(NondeterminismError, match="the end"):
        hunt(program, DeterminismCheck(RandomWalk(1), 1), 2)


def test_the_check_does_not_disturb_a_search():
    check = DeterminismCheck(Dpor(), 2)
    result = hunt(counters(3, 1), check, 1000, is_failure=never)
    alone = hunt(counters(3, 1), Dpor(), 1000, is_failure=never)
    assert result.is_exhausted
    assert result.ended == alone.ended
    assert result.schedules == alone.schedules + check.checks
    with pytest.raises(SearchExhausted):
        simulate(counters(3, 1), chooser=check)
