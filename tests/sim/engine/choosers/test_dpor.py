"""The reduction leaves out nothing but repetitions: held to the full search, program by program."""

from __future__ import annotations

import pytest
import trio
from hypothesis import HealthCheck, assume, given, settings

from pyvirt_sim.engine import (
    Dpor,
    Exhaustive,
    Portfolio,
    RandomWalk,
    Shared,
    UnsupportedTrioError,
    draw,
    footprint_trio,
    hunt,
    labelled_only,
    replay,
    shrink,
    simulate,
    touch,
)
from tests.sim.engine.choosers.classes import Watching, explore
from tests.sim.engine.choosers.generated import (
    HomeMadeEvent,
    program_of,
    programs,
    programs_with_waits_of_their_own,
)
from tests.sim.engine.choosers.programs import tasks_of
from tests.sim.engine.choosers.reducible import counters, handover, timeout_and_cancel
from tests.sim.engine.programs import busy, hazards, lost_update


def compare(program, limit=3000, *, is_exact=True, **options):
    """Search both ways; check that one run per class was made and no outcome lost.

    Not ``is_exact``: some classes may be met more than once.

    Returns:
        How many runs the reduction made and how many the full search; None where one of them was
        not done within ``limit``.
    """
    reduced, of_reduced = explore(program, Dpor(), limit, **options)
    if not of_reduced.is_exhausted:
        return None
    full, of_full = explore(program, Watching(Exhaustive()), limit, **options)
    if not of_full.is_exhausted:
        return None
    classes = {one for one, _ in full}
    assert len(set(full)) == len(classes), "schedules of one class came to different things"
    assert {one for one, _ in reduced} == classes
    assert {outcome for _, outcome in reduced} == {outcome for _, outcome in full}
    if is_exact:
        assert len(reduced) == len(classes)
        assert of_reduced.redundant == 0
    return len(reduced), len(full)


@pytest.mark.parametrize(
    ("program", "classes", "schedules"),
    [
        # Two tasks of two steps each, read and write: as two threads on one counter.
        (counters(2, 1), 4, 6),
        # Two that meet and one that never does.
        (counters(3, 2), 4, 90),
        (counters(3, 3), 1, 90),
        (timeout_and_cancel, 10, 720),
        (handover(0), 50, 540),
    ],
)
def test_one_run_per_class(program, classes, schedules):
    assert compare(program) == (classes, schedules)


@settings(
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(programs)
def test_no_behaviour_of_any_program_is_lost(tasks):
    assume(compare(program_of(tasks), limit=250) is not None)


@settings(
    deadline=None,
    max_examples=10,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(programs_with_waits_of_their_own)
def test_nor_where_a_step_is_open_in_some_schedules_only(tasks):
    # Whether such a step is open is seen too late to avoid each repetition.
    assume(compare(program_of(tasks), limit=250, is_exact=False) is not None)


def test_all_values_of_a_draw_are_tried_in_every_class():
    async def program():
        with labelled_only():
            cell = Shared(0)

            async def add():
                cell.value = cell.value * 3 + draw("data", "add", 2) + 1

            async with trio.open_nursery() as nursery:
                nursery.start_soon(add)
                nursery.start_soon(add)
            return cell.value

    assert compare(program) == (8, 8)


def test_an_undeclared_program_is_searched_in_full():
    assert compare(tasks_of(2, 2)) == (6, 6)
    chooser = Dpor()
    hunt(tasks_of(2, 2), chooser)
    assert chooser.open_choices > 0


def test_a_race_in_plain_python_is_found_without_any_label():
    result = hunt(lost_update, Dpor(), 5000)
    assert result.found is not None


def test_a_step_that_was_partly_outside_is_open():
    async def program():
        async def task():
            with labelled_only():
                await trio.lowlevel.checkpoint()
                await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(task)

    steps = simulate(program, footprints=True).footprints
    mine = [step.is_open for step in steps if step.path == "program/task[0]"]
    assert mine == [True, False, True]


def test_an_object_from_before_the_run_opens_the_step():
    event = trio.Event()

    async def program():
        with labelled_only():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(event.wait)
                nursery.start_soon(trio.lowlevel.checkpoint)
                event.set()

    steps = simulate(program, footprints=True).footprints
    assert [s.is_open for s in steps if "wait" in s.path] == [True, False]
    assert not any(s.is_open for s in steps if "checkpoint" in s.path)


async def a_home_made_wait():
    with labelled_only():
        event, log = HomeMadeEvent(), []

        async def wait():
            try:
                await event.wait()
                log.append("woken")
            except trio.Cancelled:
                log.append("cancelled")

        async def wake():
            event.set()

        async def cancel(nursery):
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as outer:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait)
                outer.start_soon(wake)
                outer.start_soon(cancel, nursery)
        return log


def test_waiting_in_a_way_of_ones_own_opens_the_steps_that_begin_and_end_it():
    assert compare(a_home_made_wait) is not None
    opened: set[str] = set()
    for seed in range(20):
        run = simulate(a_home_made_wait, chooser=RandomWalk(seed), footprints=True)
        opened.update(s.path.rpartition("/")[2] for s in run.footprints if s.is_open)
    assert {"wait[0]", "wake[0]", "cancel[0]"} <= opened


def test_updates_commute_and_notice_reads():
    def program_with(access):
        async def program():
            with labelled_only():

                async def task(how):
                    touch("thing", how)

                async with trio.open_nursery() as nursery:
                    for how in ("update", "update", access):
                        nursery.start_soon(task, how)

        return program

    assert compare(program_with("update")) == (1, 6)
    assert compare(program_with("read")) == (4, 6)
    assert compare(program_with("write")) == (4, 6)


@pytest.mark.parametrize("program", [busy, hazards, handover(1)])
@pytest.mark.parametrize("policy", ["any", "batch"])
def test_watching_changes_nothing(program, policy):
    for seed in range(5):
        plain = simulate(program, chooser=RandomWalk(seed), policy=policy)
        watched = simulate(program, chooser=RandomWalk(seed), policy=policy, footprints=True)
        assert watched.digest == plain.digest
        assert len(watched.footprints) == watched.steps
        assert plain.footprints == ()


def test_trio_is_left_alone_in_runs_that_do_not_ask():
    simulate(busy)
    originals = [(owner, name, owner.__dict__[name]) for owner, name, _ in footprint_trio.TABLE]
    simulate(busy, footprints=True)
    changed = [name for owner, name, original in originals if owner.__dict__[name] is not original]
    assert len(changed) == len(originals)
    simulate(busy)
    assert all(owner.__dict__[name] is original for owner, name, original in originals)


async def set_or_not():
    with labelled_only():
        event, log = trio.Event(), []

        async def look():
            log.append(event.is_set())

        async def act():
            event.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(look)
            nursery.start_soon(act)
        return log


async def sent_or_not():
    with labelled_only():
        (send, receive), log = trio.open_memory_channel[int](1), []

        async def look():
            log.append(receive.statistics().current_buffer_used)

        async def act():
            send.send_nowait(1)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(look)
            nursery.start_soon(act)
        return log


async def cancelled_or_not():
    with labelled_only():
        log = []

        async def work():
            try:
                await trio.lowlevel.checkpoint()
            except trio.Cancelled:  # and says so to nobody
                log.append("cancelled")

        async def act(nursery):
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(work)
            nursery.start_soon(act, nursery)
        return log


async def gave_up_before_the_lock_was_free_or_not():
    with labelled_only():
        lock, log = trio.Lock(), []

        async def wait(scope):
            with scope:
                await lock.acquire()
                log.append("has it")

        async def act(scope):
            scope.cancel()

        async with trio.open_nursery() as nursery:
            scope = trio.CancelScope()
            await lock.acquire()
            nursery.start_soon(wait, scope)
            await trio.sleep(1)
            nursery.start_soon(act, scope)
            await trio.lowlevel.checkpoint()
            lock.release()
        return log


FORGOTTEN = [
    (set_or_not, "set"),
    (sent_or_not, "send_nowait"),
    (cancelled_or_not, "recalculate"),
    (gave_up_before_the_lock_was_free_or_not, "_attempt_abort"),
]


@pytest.mark.parametrize(("program", "forgotten"), FORGOTTEN)
def test_a_forgotten_touch_is_noticed_by_these_tests(program, forgotten, monkeypatch):
    assert compare(program) is not None
    simulate(busy)  # takes the present watch off
    table = [row for row in footprint_trio.TABLE if row[1] != forgotten]
    monkeypatch.setattr(footprint_trio, "TABLE", table)
    with pytest.raises(AssertionError):
        compare(program)
    simulate(busy)


def test_a_trio_that_cannot_be_watched_is_refused_by_those_who_must_and_done_without_by_the_others(
    monkeypatch,
):
    simulate(busy)
    row = (trio.Event, "no_such_method", footprint_trio.TABLE[1][2])
    monkeypatch.setattr(footprint_trio, "TABLE", [*footprint_trio.TABLE, row])
    with pytest.raises(UnsupportedTrioError, match=r"Event\.no_such_method"):
        simulate(busy, chooser=Dpor())
    assert hunt(busy, Portfolio(1), 20).schedules == 20


def test_a_failure_found_by_reduction_replays_and_shrinks_like_any_other():
    def is_failure(run):
        return run.value == [2]

    assert not is_failure(simulate(counters(3, 1)))
    result = hunt(counters(3, 1), Dpor(), is_failure=is_failure)
    assert result.found is not None
    assert replay(counters(3, 1), result.found.tape).digest == result.found.digest
    small = shrink(counters(3, 1), result.found, is_failure=is_failure)
    assert small.is_minimal
    assert 1 <= small.after <= result.found.deviations


@pytest.mark.parametrize("options", [{"policy": "batch"}, {"timers": "choice"}])
def test_options_under_which_everything_depends_are_refused(options):
    with pytest.raises(ValueError, match="PreemptionBound"):
        simulate(busy, chooser=Dpor(), **options)


def test_what_is_cut_off_by_the_step_limit_is_said():
    async def program():
        with labelled_only():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.lowlevel.checkpoint)
                while True:
                    await trio.lowlevel.checkpoint()

    result = hunt(program, Dpor(), 500, max_steps=12, is_failure=lambda run: False)
    assert result.is_exhausted
    assert "none longer than max_steps" in result.ended
