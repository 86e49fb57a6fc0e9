"""What each strategy is for, in few runs; tests/benchmarks/strategies.py makes more of them."""

from __future__ import annotations

import pytest

from pyvirt_sim.engine import Pct, Portfolio, RandomWalk, UniformWalk, hunt
from tests.sim.engine.choosers.programs import lost_update, shallow, starvation


def runs_to_first(program, make, cap=150, seeds=6):
    return [hunt(program, make(1000 * seed), cap).schedules for seed in range(seeds)]


def test_priorities_starve_a_task_where_a_random_walk_has_to_be_lucky_again_and_again():
    assert max(runs_to_first(starvation, lambda seed: Pct(seed, 1))) < 20
    assert min(runs_to_first(starvation, RandomWalk)) > 20


def test_a_race_between_a_read_and_a_write_needs_a_change_point():
    assert runs_to_first(lost_update, lambda seed: Pct(seed, 1), seeds=2) == [150, 150]
    assert max(runs_to_first(lost_update, lambda seed: Pct(seed, 2))) < 150


def test_the_uniform_walk_meets_it_before_the_random_walk():
    uniform, walk = (sum(runs_to_first(lost_update, make)) for make in (UniformWalk, RandomWalk))
    assert 2 * uniform < walk


@pytest.mark.parametrize("program", [shallow, lost_update, starvation])
def test_the_portfolio_finds_each_of_them_with_every_seed(program):
    assert max(runs_to_first(program, Portfolio)) < 150
