"""Hypothesis and the engine: workload and schedule shrink together, and an abort leaves nothing."""

from __future__ import annotations

import gc
import inspect
import sys

import pytest
import trio
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable, UnsatisfiedAssumption

from pyvirt_sim.engine import Drawn, replay, simulate
from pyvirt_sim.engine.hypothesis import is_failure, schedules, simulated, with_workload
from pyvirt_sim.engine.joint import JointSearch
from pyvirt_sim.engine.search import Search
from tests.sim.engine.programs import busy
from tests.sim.engine.workloads import OverdraftError, pay_out

AMOUNTS = st.lists(st.integers(0, 20), max_size=8)
FILTERING = HealthCheck.filter_too_much
quick = settings(max_examples=300, deadline=None, phases=[Phase.generate, Phase.shrink])


def leaf_of(test):
    with pytest.raises((ExceptionGroup, OverdraftError)) as caught:
        test()
    error = caught.value
    while isinstance(error, ExceptionGroup):
        (error,) = error.exceptions
    assert isinstance(error, OverdraftError)
    return error


@pytest.mark.parametrize("per_workload", [5, 20, 60])
def test_the_smallest_workload_comes_with_the_fewest_deviations(per_workload):
    joint = JointSearch(Search(schedules=per_workload))
    failed = []

    @quick
    @given(AMOUNTS)
    def test(amounts):
        program = with_workload(pay_out, (amounts,), {})
        run = joint.run(program, is_failure=is_failure)
        if run is not None:
            failed.append(amounts)
            run.unwrap()

    leaf_of(test)
    program, result = joint.smallest()
    assert failed[-1] == [7, 7]
    assert result.failure is not None
    assert result.failure.tape.deviations == 1
    again = replay(program, result.failure.tape)
    assert again.digest == result.failure.digest


def test_what_broke_a_larger_workload_is_tried_in_like_places_of_a_smaller_one():
    def program(amounts):
        return with_workload(pay_out, (amounts,), {})

    joint = JointSearch(Search(schedules=60))
    assert joint.run(program([0, 3, 9, 0, 9])) is not None
    joint.search = Search(schedules=1)  # no luck from now on
    for amounts in ([3, 9, 9], [9, 9], [7, 7, 1]):
        run = joint.run(program(amounts))
        assert run is not None
        assert run.deviations == 1
    assert joint.run(program([6, 6])) is None
    assert len(joint.known) == 1


def test_schedules_as_values_shrink_with_the_workload():
    failed = []

    @settings(quick, max_examples=2000)
    @given(AMOUNTS, schedules())
    def test(amounts, chooser):
        run = simulate(pay_out, amounts, chooser=chooser)
        if run.error is not None:
            failed.append((amounts, run.deviations))
        run.unwrap()

    leaf_of(test)
    assert failed[-1] == ([7, 7], 1)


def test_a_decorated_test_explains_itself_in_a_note():
    @quick
    @given(amounts=AMOUNTS)
    @simulated(schedules=60)
    async def test(amounts):
        own = amounts.copy()
        amounts.clear()  # the workload of this run, not of the next
        await pay_out(own)

    with pytest.raises(ExceptionGroup) as caught:
        test()
    notes = "\n".join(caught.value.__notes__)
    assert "THE ORDER THAT DECIDES" in notes
    assert "amounts=[7, 7]" in notes
    assert "1 out of turn" in notes


def test_a_decorated_test_runs_without_hypothesis_too():
    @simulated(schedules=300)
    async def test(amounts):
        await pay_out(amounts)

    assert not inspect.iscoroutinefunction(test)
    test([1, 2])
    with pytest.raises(ExceptionGroup):
        test([7, 7])
    with pytest.raises(ValueError, match="policy"):
        simulated(policy="fair")


def test_a_workload_that_is_assumed_away_is_no_failure():
    @quick
    @given(st.integers())
    @simulated(schedules=3)
    async def test(number):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 0)
            assume(number % 2)
            odd.append(number)

    odd: list[int] = []
    test()
    assert odd


def test_what_hypothesis_raises_within_a_run_comes_out_as_it_was():
    async def program():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 0)
            raise UnsatisfiedAssumption

    with pytest.raises(UnsatisfiedAssumption):
        is_failure(simulate(program))


def test_the_engine_is_not_traced_by_the_phase_that_explains():
    tracers = set()

    @settings(max_examples=300, deadline=None)
    @given(AMOUNTS)
    @simulated(schedules=40)
    async def test(amounts):
        trace = sys.gettrace()
        tracers.add(type(getattr(trace, "__self__", trace)).__module__.partition(".")[0])
        await pay_out(amounts)

    with pytest.raises(ExceptionGroup):
        test()
    assert "hypothesis" not in tracers
    assert tracers


def test_interactive_draws_are_refused():
    @quick
    @given(st.data())
    @simulated()
    async def test(data):
        data.draw(st.integers())

    with pytest.raises(TypeError, match="cannot draw with"):
        test()


def test_hypothesis_may_end_an_example_out_of_any_draw():
    ended = []

    @settings(max_examples=50, deadline=None, suppress_health_check=[FILTERING])
    @given(st.data())
    def test(data):
        drawn = 0

        def draw(bound):
            nonlocal drawn
            drawn += 1
            assume(drawn < 15)
            return data.draw(st.integers(0, bound - 1))

        async def program():
            try:
                await busy()
            finally:
                ended.append(drawn)

        simulate(program, chooser=Drawn(draw)).unwrap()

    with pytest.raises(Unsatisfiable):
        test()
    assert set(ended) == {15}
    gc.collect()  # warnings are errors: nothing may be left that runs Trio's code now
    assert simulate(busy).error is None
