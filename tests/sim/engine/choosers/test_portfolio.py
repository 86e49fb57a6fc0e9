"""The portfolio: everybody gets a turn, who is done leaves, and it ends when all has been seen."""

from __future__ import annotations

import pytest

from pyvirt_sim.engine import (
    Exhaustive,
    Member,
    PartialOrderSampling,
    Portfolio,
    PreemptionBound,
    RandomWalk,
    hunt,
    simulate,
)
from tests.sim.engine.choosers.programs import shallow, starvation, tasks_of
from tests.sim.engine.choosers.reducible import counters
from tests.sim.engine.programs import busy

NAMES = [
    "canonical",
    "PCT depth 1",
    "PCT depth 2",
    "PCT depth 3",
    "uniform walk",
    "random walk",
    "partial order",
    "preemptions",
]


def never(run):
    return False


def test_members_take_turns_after_the_canonical_run():
    portfolio = Portfolio(1)
    result = hunt(busy, portfolio, 15, is_failure=never)
    assert result.schedules == 15
    assert {member.name: member.runs for member in portfolio.members} == {
        name: 1 if name == "canonical" else 2 for name in NAMES
    }
    assert sum(member.steps for member in portfolio.members) == result.total_steps


def test_the_same_seed_makes_the_same_runs():
    one, two, other = Portfolio(1), Portfolio(1), Portfolio(2)
    digests = [[simulate(busy, chooser=c).digest for _ in range(20)] for c in (one, two, other)]
    assert digests[0] == digests[1] != digests[2]


def test_reduction_joins_a_labelled_program_and_ends_the_search():
    portfolio = Portfolio(1)
    result = hunt(counters(4, 2), portfolio, 1000, is_failure=never)
    assert result.is_exhausted
    assert "16 runs" in result.ended
    assert next(m for m in portfolio.members if m.name == "DPOR").runs == 16


@pytest.mark.parametrize(
    ("program", "options"),
    [
        (busy, {}),
        (tasks_of(2, 2), {}),
        (counters(4, 2), {"policy": "batch"}),
        (counters(4, 2), {"timers": "choice"}),
    ],
)
def test_it_does_not_join_where_it_would_be_wrong_or_in_vain(program, options):
    portfolio = Portfolio(1)
    hunt(program, portfolio, 20, is_failure=never, **options)
    assert "DPOR" not in [member.name for member in portfolio.members]


def test_a_member_that_is_done_leaves_and_the_others_go_on():
    members = [Member("few", PreemptionBound(0)), Member("random", RandomWalk(1))]
    portfolio = Portfolio(members=members)
    result = hunt(tasks_of(3, 3), portfolio, 50, is_failure=never)
    assert (result.schedules, result.is_exhausted) == (50, False)
    assert [member.runs for member in members] == [2, 47]
    assert "up to 0 preemptions" in members[0].ended
    assert "up to 0 preemptions" in portfolio.report()


def test_it_ends_when_nobody_is_left():
    members = [Member("none", PreemptionBound(0)), Member("one", PreemptionBound(1))]
    result = hunt(tasks_of(3, 3), Portfolio(members=members), 50, is_failure=never)
    assert result.is_exhausted
    assert "none: every" in result.ended
    assert "one: every" in result.ended


def test_it_ends_when_one_has_seen_everything():
    members = [Member("random", RandomWalk(1)), Member("all", Exhaustive())]
    result = hunt(tasks_of(2, 2), Portfolio(members=members), 50, is_failure=never)
    assert result.is_exhausted
    assert members[1].runs == 6


def test_the_report_has_a_line_per_member():
    portfolio = Portfolio(1, clock=lambda: 0.0)
    hunt(busy, portfolio, 9, is_failure=never)
    lines = portfolio.report().splitlines()
    assert [line.split("  ")[0] for line in lines[1:]] == NAMES
    assert lines[0].split() == ["member", "runs", "failed", "given", "up", "steps", "seconds"]
    assert lines[1].split()[:4] == ["canonical", "1", "0", "0"]


@pytest.mark.parametrize("program", [shallow, starvation])
def test_it_finds_races_of_both_kinds(program):
    assert hunt(program, Portfolio(1), 200).found is not None


def test_an_empty_portfolio_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        Portfolio(members=[])


def test_partial_order_sampling_learns_in_few_runs_only():
    chooser = PartialOrderSampling(1)
    learning = [bool(simulate(busy, chooser=chooser).footprints) for _ in range(20)]
    assert [number for number, learns in enumerate(learning) if learns] == [0, 1, 3, 7, 15]
