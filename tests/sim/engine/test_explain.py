"""Explanations hold in runs: the pair decides, the nearest run passes, the screen is one screen."""

from __future__ import annotations

import pytest
import trio
import trio.lowlevel
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pyvirt_sim.engine import (
    Node,
    Portfolio,
    RandomWalk,
    ReplayDivergedError,
    draw,
    failure_kind,
    hunt,
    note,
    replay,
    shrink,
    simulate,
)
from pyvirt_sim.engine.explain import explain, explanation_as_text
from pyvirt_sim.engine.explain.conflict import _LetIn
from tests.sim.engine.generated import recipes
from tests.sim.engine.programs import lost_update


def explained(program, **options):
    found = hunt(program, RandomWalk(0), 300, **options).found
    assert found is not None
    return explain(program, shrink(program, found, max_steps=10_000).run, max_steps=10_000)


def moves(run):
    return [step.path for step in run.trace]


@settings(deadline=None, max_examples=25)
@given(recipes(), st.integers(0, 1000))
def test_the_pair_of_steps_decides(recipe, seed):
    program = recipe.program()
    found = hunt(program, Portfolio(seed), 60).found
    assume(found is not None)
    assert found is not None
    explanation = explain(program, shrink(program, found).run)
    conflict = explanation.conflict
    if conflict is None:
        assert explanation.run.deviations > 0 or explanation.nearest is None
        return
    place = conflict.neighbour.step
    failing, passing = explanation.run, conflict.neighbour.run
    assert passing.error is None
    assert moves(failing)[:place] == moves(passing)[:place]
    assert conflict.first == failing.trace[place]
    assert conflict.second == passing.trace[place]
    assert conflict.second.path in moves(failing)[place:]
    assert replay(program, passing.tape).error is None
    # One step later is too late: then the run fails as before.
    late = _LetIn(explanation.deviations, place + 1, conflict.second.path)
    assert failure_kind(simulate(program, chooser=late).error) == failure_kind(failing.error)


def test_a_lost_update_is_explained_by_the_two_steps_that_touch_the_value():
    explanation = explained(lost_update)
    conflict = explanation.conflict
    assert conflict is not None
    assert (conflict.first.path, conflict.second.path) == (
        "lost_update/add[1]",
        "lost_update/add[0]",
    )
    assert conflict.first.location.startswith("engine/programs.py:")
    assert explanation.quiet is not None
    assert explanation.reachable.schedule is None
    assert explanation.reachable.is_complete


def test_a_failure_of_the_canonical_schedule_is_compared_with_the_passing_run_that_parts_last():
    async def program():
        log = []

        async def task(name):
            await trio.lowlevel.checkpoint()
            log.append(name)

        async with trio.open_nursery() as nursery:
            for name in "abc":
                nursery.start_soon(task, name)
        assert log[-1] != "c"

    explanation = explained(program)
    assert explanation.run.deviations == 0
    assert explanation.reachable.schedule == 0
    conflict = explanation.conflict
    assert conflict is not None
    assert (conflict.first.path, conflict.second.path) == ("program/task[1]", "program/task[2]")
    # After the engine's task, main, three first steps and the second of task[0].
    assert conflict.neighbour.step == 6


def test_a_draw_that_decides_is_named():
    async def program():
        await trio.sleep(1)
        assert draw("faults", "reply lost", 3) == 0

    explanation = explained(program)
    (one,) = explanation.deciding_draws
    assert (one.label, one.chosen, one.expected) == ("reply lost", "1", "0")
    text = explanation_as_text(explanation, "again")
    assert "THE DRAW THAT DECIDES: reply lost = 1; with 0 it passes" in text


def test_a_failure_that_no_schedule_avoids_is_told_as_that():
    async def program():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 1)
            nursery.start_soon(trio.sleep, 1)
        raise ValueError("always")

    explanation = explained(program)
    assert (explanation.conflict, explanation.nearest, explanation.quiet) == (None, None, None)
    assert "No schedule was found that passes." in explanation_as_text(explanation, "again")


def test_what_todays_trio_reaches_is_found_under_its_policy():
    async def program():
        log = []

        async def task(name):
            await trio.lowlevel.checkpoint()
            log.append(name)

        async with trio.open_nursery() as nursery:
            for name in "ab":
                nursery.start_soon(task, name)
        assert log != ["b", "a"]

    text = explanation_as_text(explained(program), "again")
    assert "Reachable with today's Trio scheduler (policy batch): yes" in text


async def spins():
    while True:
        await trio.lowlevel.checkpoint()


async def chatters():
    for number in range(500):
        note("clerk", f"writes letter {number}", to="somebody with a very long name" * 5)
        await trio.lowlevel.checkpoint()
    raise ValueError("x" * 3000)


@pytest.mark.parametrize("program", [lost_update, spins, trio.sleep_forever, chatters])
def test_every_explanation_is_one_screen_and_ends_with_its_replay(program):
    explanation = explained(program, max_steps=2000)
    *lines, last = explanation_as_text(explanation, "pytest x --pyvirt-sim-tape y").splitlines()
    assert last == "  pytest x --pyvirt-sim-tape y"
    assert len(lines) <= 50
    assert max(map(len, lines)) <= 100


def test_the_same_failure_is_told_in_the_same_words():
    texts = {explanation_as_text(explained(lost_update), "again") for _ in range(3)}
    assert len(texts) == 1


def test_only_a_repeatable_failure_is_explained():
    async def changes():
        calls.append(1)
        if len(calls) == 1:
            raise ValueError

    calls: list[int] = []
    run = simulate(changes)
    with pytest.raises(ReplayDivergedError, match="not deterministic"):
        explain(changes, run)
    with pytest.raises(ValueError, match="does not fail"):
        explain(changes, simulate(changes))


@pytest.mark.parametrize("speaks", [False, True])
def test_beside_a_crash_stands_where_the_program_was_unless_it_speaks_for_itself(speaks):
    async def program():
        node = Node("server")

        async def serve():
            while True:
                await trio.sleep(1)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(node.run, serve)
            await trio.sleep(10.5)
            if speaks:
                note("main", "is about to crash the server")
            node.crash()
            nursery.cancel_scope.cancel()
        raise ValueError("crashed")

    rows = [f"{row.actor} {row.action}" for row in explain(program, simulate(program)).rows]
    before = rows[: rows.index("server crashes life=1 silent=False")]
    if speaks:
        assert before == ["main is about to crash the server"]
    else:
        assert before[-2].startswith("run goes on at engine/test_explain.py")
        assert before[-1].startswith("program goes on at engine/test_explain.py")
        assert len(before) < 6  # of the thirteen steps
