"""Shrinking: the same failure, as few deviations as an exhaustive search finds, strict replay."""

from __future__ import annotations

import pytest
import trio
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pyvirt_sim.engine import (
    Portfolio,
    RandomWalk,
    Replay,
    ReplayDivergedError,
    Tape,
    draw,
    failure_kind,
    hunt,
    replay,
    shrink,
    simulate,
)
from pyvirt_sim.engine.deviation import Directed, Witness
from tests.sim.engine.generated import OrderError, Recipe, fewest_deviations, recipes
from tests.sim.engine.programs import LostUpdateError, busy, lost_update


def failing(program, chooser=None, schedules=300, **options):
    found = hunt(program, chooser, schedules, **options).found
    assert found is not None
    return found


@settings(deadline=None, max_examples=60)
@given(recipes(), st.integers(0, 1000))
def test_the_shrunk_run_is_the_same_failure_and_one_deviation_where_one_is_enough(recipe, seed):
    program = recipe.program()
    found = hunt(program, Portfolio(seed), 60).found
    assume(found is not None)
    assert found is not None
    small = shrink(program, found)
    assert isinstance(small.run.error, OrderError)
    assert small.after == small.run.tape.deviations <= small.before == found.tape.deviations
    again = replay(program, Tape.from_text(small.run.tape.to_text()))
    assert again.digest == small.run.digest
    fewest = fewest_deviations(program, 1, 1500)
    if fewest is not None:
        assert small.after == fewest
    else:
        assert small.after > 1


@settings(deadline=None, max_examples=30)
@given(
    st.integers(0, 2**32), st.sampled_from(["any", "batch"]), st.sampled_from(["idle", "choice"])
)
def test_all_deviations_of_a_run_together_are_the_run(seed, policy, timers):
    options = {"policy": policy, "timers": timers}
    witness = Witness(RandomWalk(seed))
    run = simulate(busy, chooser=witness, **options)
    directed = Directed(witness.deviations)
    again = simulate(busy, chooser=directed, **options)
    assert again.digest == run.digest
    assert directed.deviations == witness.deviations


@pytest.mark.parametrize("seed", range(8))
def test_a_lost_update_needs_one_decision_however_it_was_found(seed):
    found = failing(lost_update, RandomWalk(1000 * seed))
    assert isinstance(found.error, LostUpdateError)
    small = shrink(lost_update, found)
    assert (small.after, small.is_minimal) == (1, True)
    assert small.executions < 20


@pytest.mark.parametrize("seed", range(6))
def test_a_bug_that_needs_two_decisions_is_shrunk_to_two(seed):
    # It fails when the slowest task logs first and the fastest one last.
    pairs = (((0, 0), (1, 0)), ((1, 0), (2, 0)))
    program = Recipe(pauses=((3,), (1,), (0,)), pairs=pairs, uses_lock=True).program()
    found = failing(program, RandomWalk(1000 * seed), 3000)
    assert fewest_deviations(program, 2, 5000) == 2
    small = shrink(program, found)
    assert (small.after, small.is_minimal) == (2, True)


def test_no_single_decision_can_be_undone_where_many_are_needed():
    async def program():
        log = []

        async def task(pair, pauses):
            for _ in range(pauses):
                await trio.lowlevel.checkpoint()
            log.append((pair, pauses))

        async with trio.open_nursery() as nursery:
            for pair in range(4):
                nursery.start_soon(task, pair, 0)
                nursery.start_soon(task, pair, 2)
        if all(log.index((pair, 2)) < log.index((pair, 0)) for pair in range(4)):
            raise OrderError

    found = failing(program, RandomWalk(0), 5000)
    small = shrink(program, found)
    assert small.is_minimal
    assert 4 <= small.after <= 5
    witness = Witness(Replay(small.run.tape))
    simulate(program, chooser=witness)
    for left_out in range(small.after):
        kept = [one for place, one in enumerate(witness.deviations) if place != left_out]
        assert simulate(program, chooser=Directed(kept)).error is None


def test_draws_shrink_with_the_schedule():
    async def program():
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(worker)

    async def worker():
        await trio.lowlevel.checkpoint()
        assert draw("latency", "delay", 100) < 7 or draw("faults", "lost", 2) == 0

    found = failing(program, RandomWalk(0))
    small = shrink(program, found)
    assert small.run.deviations == 0
    latency, faults = (sorted(small.run.tape.values(name)) for name in ("latency", "faults"))
    assert (sum(latency), faults) == (7, [1])


def test_a_large_draw_is_lowered_to_the_least_that_fails_in_few_runs():
    async def program():
        await trio.sleep(1)
        assert draw("latency", "delay", 1_000_000) < 4711

    small = shrink(program, failing(program, RandomWalk(0)))
    assert small.run.tape.values("latency") == (4711,)
    assert small.executions < 40


def test_a_budget_is_kept_and_what_was_found_stands():
    found = failing(busy, RandomWalk(3), 1, is_failure=lambda run: True)
    runs = []

    def wanted(run):
        runs.append(run)
        return run.deviations > 3

    small = shrink(busy, found, is_failure=wanted, max_runs=10)
    assert (small.executions, small.is_minimal) == (10, False)
    assert small.run.deviations > 3


def test_a_run_that_does_not_fail_again_is_refused():
    calls = []

    async def program():
        calls.append(1)
        assert len(calls) > 1

    found = failing(program)
    with pytest.raises(ReplayDivergedError, match="not deterministic"):
        shrink(program, found)
    with pytest.raises(ValueError, match="does not fail"):
        shrink(program, simulate(program))


def test_a_failure_of_another_kind_is_not_taken_for_the_same():
    async def program():
        log = []

        async def task(name):
            await trio.lowlevel.checkpoint()
            log.append(name)

        async with trio.open_nursery() as nursery:
            for name in "abc":
                nursery.start_soon(task, name)
        if log == ["c", "b", "a"]:
            raise KeyError
        if log[0] != "a":
            raise OrderError

    found = failing(program, is_failure=lambda run: isinstance(run.error, KeyError))
    small = shrink(program, found)
    assert failure_kind(small.run.error) == ("builtins.KeyError",)
