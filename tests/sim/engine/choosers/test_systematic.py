"""Searches that promise to have run everything: that they have, once each, and say so."""

from __future__ import annotations

from math import comb, factorial

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from pyvirt_sim.engine import (
    TIMER,
    Dpor,
    Exhaustive,
    PreemptionBound,
    ReplayDivergedError,
    SearchExhausted,
    choose_from,
    draw,
    hunt,
    simulate,
)
from tests.sim.engine.choosers.programs import tasks_of
from tests.sim.engine.programs import LostUpdateError, lost_update


def everything(program, chooser, **options):
    """Run until the search has ended; return the tapes of all runs."""
    tapes = []

    def remember(run):
        tapes.append((run.tape.to_text(), run))
        return False

    result = hunt(program, chooser, 20_000, is_failure=remember, **options)
    assert result.is_exhausted, result
    return tapes


def preemptions(run):
    """Count, from the record alone, the choices that took the turn from a task that could go on."""
    record, count = run.record, 0
    for step in record.choice_steps:
        before, now = record.order[step - 1], record.order[step]
        later = record.order[step:]
        # Whoever has a step left is runnable, except the two that wait for their children.
        count += before != now and before in later and before >= 2
    return count


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(1, 3), min_size=1, max_size=3))
def test_exhaustive_search_runs_every_interleaving_once(lengths):
    expected = factorial(sum(lengths))
    for steps in lengths:
        expected //= factorial(steps)
    tapes = everything(tasks_of(*lengths), Exhaustive())
    assert len(tapes) == expected
    assert len({text for text, _ in tapes}) == expected


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), st.sampled_from(["any", "batch"]))
def test_preemption_bounding_without_end_runs_every_schedule_once(lengths, policy):
    program = tasks_of(*lengths)
    bounded = [text for text, _ in everything(program, PreemptionBound(), policy=policy)]
    full = [text for text, _ in everything(program, Exhaustive(), policy=policy)]
    assert sorted(bounded) == sorted(full)


def test_each_bound_has_the_schedules_with_so_many_preemptions():
    chooser = PreemptionBound()
    counts: dict[int, int] = {}
    for _, run in everything(tasks_of(3, 3), chooser):
        counts[preemptions(run)] = counts.get(preemptions(run), 0) + 1
    assert counts == dict(enumerate(chooser.schedules))
    assert sum(chooser.schedules) == comb(6, 3)
    assert chooser.schedules[0] == 2


def test_an_exhausted_bound_is_stated_and_stays_exhausted():
    chooser = PreemptionBound(1)
    result = hunt(tasks_of(2, 2), chooser, 1000)
    assert result.is_exhausted
    assert result.schedules == sum(chooser.schedules)
    assert "up to 1 preemptions" in result.ended
    assert chooser.exhausted_bound == 1
    with pytest.raises(SearchExhausted):
        simulate(tasks_of(2, 2), chooser=chooser)


def test_a_program_without_choices_has_one_schedule():
    async def program():
        await trio.sleep(1)

    for chooser in (Exhaustive(), PreemptionBound()):
        result = hunt(program, chooser, 10)
        assert (result.schedules, result.is_exhausted) == (1, True)


@pytest.mark.parametrize("search", [Exhaustive, PreemptionBound])
def test_all_values_of_all_draws_are_tried(search):
    async def program():
        seen.add((draw("data", "a", 3), choose_from("faults", "b", "xy")))

    seen: set[tuple[int, str]] = set()
    everything(program, search())
    assert seen == {(a, b) for a in range(3) for b in "xy"}


@pytest.mark.parametrize("search", [Exhaustive, PreemptionBound, Dpor])
def test_a_draw_with_too_many_values_is_not_tried_out_and_that_is_said(search):
    async def program():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.lowlevel.checkpoint)
            seen.add((draw("data", "seed", 1_000_000), draw("data", "few", 2)))

    seen: set[tuple[int, int]] = set()
    result = hunt(program, search(), 100)
    assert result.is_exhausted
    assert "more than 64 values" in result.ended
    assert seen == {(0, 0), (0, 1)}
    with pytest.raises(SearchExhausted) as caught:
        simulate(program, chooser=result.chooser)
    assert not caught.value.is_complete


@pytest.mark.parametrize("search", [Exhaustive, PreemptionBound])
def test_time_may_move_at_every_choice(search):
    async def program():
        with trio.move_on_after(1) as scope:
            for _ in range(3):
                await trio.lowlevel.checkpoint()
        return scope.cancelled_caught

    runs = [run for _, run in everything(program, search(), timers="choice")]
    assert {run.value for run in runs} == {True, False}
    assert any(step.path == TIMER for run in runs for step in run.trace)


@pytest.mark.parametrize("search", [Exhaustive, PreemptionBound])
def test_a_race_is_found_and_the_rest_of_the_search_can_go_on(search):
    chooser = search()
    result = hunt(lost_update, chooser, 5000)
    assert result.found is not None
    assert isinstance(result.found.error, LostUpdateError)
    rest = hunt(lost_update, chooser, 5000, is_failure=lambda run: False)
    assert rest.is_exhausted
    whole = hunt(lost_update, search(), 5000, is_failure=lambda run: False)
    assert result.schedules + rest.schedules == whole.schedules


@pytest.mark.parametrize("search", [Exhaustive, PreemptionBound])
def test_a_program_that_differs_from_run_to_run_is_not_searched_silently(search):
    runs = []

    async def program():
        runs.append(1)
        await tasks_of(*[2] * (2 + len(runs) % 2))()

    with pytest.raises(ReplayDivergedError):
        hunt(program, search(), 1000)
