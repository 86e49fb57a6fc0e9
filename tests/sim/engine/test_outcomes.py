"""How runs end: values, errors, deadlocks, limits, escapes, choosers that raise."""

from __future__ import annotations

import gc
from typing import Any, cast

import pytest
import trio

from pyvirt_sim.engine import (
    DeadlockError,
    EscapeError,
    ReplayDivergedError,
    StepLimitError,
    Tape,
    TapeFormatError,
    current_run,
    draw,
    failure_kind,
    hunt,
    prove_deterministic,
    replay,
    shrink,
    simulate,
)
from tests.sim.engine.programs import LostUpdateError, busy, lost_update


class StopTest(BaseException):
    """What a property-testing library raises out of a draw."""


class RaisesAt:
    def __init__(self, choice):
        self.left = choice

    def start(self, run):
        pass

    def choose(self, point):
        self.left -= 1
        if self.left < 0:
            raise StopTest
        return 0

    def finish(self, result):
        assert result is None


def test_an_error_comes_out_unchanged():
    error = ValueError("mine")

    async def program():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)

    async def fail():
        raise error

    run = simulate(program)
    assert isinstance(run.error, ExceptionGroup)
    assert run.error.exceptions == (error,)
    with pytest.raises(ExceptionGroup):
        run.unwrap()


def test_a_deadlock_names_who_waits_where():
    async def program():
        lock = trio.Lock()
        await lock.acquire()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wants, lock)

    async def wants(lock):
        async with lock:
            pass

    run = simulate(program)
    assert isinstance(run.error, DeadlockError)
    waiting = run.error.blocked[1]
    assert waiting.path == "program/wants[0]"
    assert "in wants" in waiting.location
    assert waiting.waits_for != "user code"


def test_a_deadlock_behind_a_shield_ends_too():
    async def program():
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()

    assert isinstance(simulate(program).error, DeadlockError)
    assert simulate(busy).error is None


def test_a_livelock_meets_the_step_limit():
    async def program():
        while True:
            await trio.sleep(1)

    run = simulate(program, max_steps=50)
    assert isinstance(run.error, StepLimitError)
    assert simulate(busy).error is None


def test_a_program_that_ignores_cancellation_is_left_quietly():
    async def program():
        while True:
            try:
                await trio.sleep(1)
            except trio.Cancelled:
                pass

    assert isinstance(simulate(program, max_steps=50).error, StepLimitError)
    gc.collect()
    assert simulate(busy).error is None


@pytest.mark.parametrize("choice", [0, 1, 7, 20])
def test_what_a_chooser_raises_comes_out_after_the_program_has_ended(choice):
    ended = []

    async def program():
        try:
            await busy()
        finally:
            ended.append(True)

    with pytest.raises(StopTest):
        simulate(program, chooser=RaisesAt(choice))
    assert ended == [True]
    assert simulate(busy).error is None


def test_waiting_for_a_real_descriptor_escapes_even_when_swallowed():
    async def program():
        try:
            await trio.lowlevel.wait_readable(0)
        except EscapeError:
            pass

    error = simulate(program).error
    assert isinstance(error, EscapeError)
    assert "test_outcomes.py" in error.site


def test_signals_escape():
    async def program():
        with trio.open_signal_receiver(2):
            pass

    assert isinstance(simulate(program).error, EscapeError)


def test_draws_and_runs_do_not_exist_outside():
    assert draw("data", "x", 9) == 0
    assert current_run() is None
    with pytest.raises(ValueError, match="bound"):
        draw("data", "x", 0)


def test_a_hunt_finds_shrinks_and_replays_a_race():
    assert simulate(lost_update).error is None
    result = hunt(lost_update, schedules=300)
    assert result.found is not None
    assert isinstance(result.found.error, LostUpdateError)
    small = shrink(lost_update, result.found)
    assert small.is_minimal
    assert 0 < small.after <= small.before
    again = replay(lost_update, Tape.from_text(small.run.tape.to_text()))
    assert failure_kind(again.error) == failure_kind(result.found.error)


def test_virtual_time_is_exact_and_free():
    async def program():
        for _ in range(1000):
            await trio.sleep(0.1)
        return trio.current_time()

    run = simulate(program)
    assert run.value == pytest.approx(100)
    assert run.time_s == run.value


def test_timeouts_meet_busy_tasks_only_when_time_is_a_choice():
    async def program():
        with trio.move_on_after(1) as scope:
            for _ in range(20):
                await trio.lowlevel.checkpoint()
        assert not scope.cancelled_caught

    assert hunt(program, schedules=50).found is None
    assert hunt(program, schedules=50, timers="choice").found is not None


def test_a_strict_replay_of_another_program_diverges():
    found = hunt(lost_update, schedules=300).found
    assert found is not None
    with pytest.raises(ReplayDivergedError):
        replay(busy, found.tape)


@pytest.mark.parametrize(
    "text", ["", "tape2,any", "tape1,any,idle,python3,trio0,canary0,schedule=3/00/z9", "x" * 99]
)
def test_a_damaged_tape_is_refused(text):
    with pytest.raises(TapeFormatError):
        Tape.from_text(text)


def test_tapes_survive_a_file(tmp_path):
    run = hunt(lost_update, schedules=300).found
    assert run is not None
    run.tape.save(tmp_path / "tape.json")
    loaded = Tape.load(tmp_path / "tape.json")
    assert loaded == run.tape
    assert replay(lost_update, loaded).digest == run.digest


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: simulate(busy, max_steps=0), "max_steps must be at least 1, not 0"),
        (
            lambda: simulate(busy, chooser=cast(Any, RaisesAt)),
            "chooser must be an object: RaisesAt",
        ),
        (lambda: hunt(busy, schedules=0), "schedules must be at least 1, not 0"),
        (lambda: prove_deterministic(busy, schedules=0), "schedules must be at least 1, not 0"),
        (
            lambda: prove_deterministic(busy, repetitions=0, hash_seeds=()),
            "nothing to compare: repetitions is 0 and there are no hash_seeds",
        ),
    ],
)
def test_what_would_look_at_nothing_is_refused(call, complaint):
    with pytest.raises((ValueError, TypeError), match=complaint):
        call()


def test_the_end_of_a_sleep_is_told_from_a_timeout_and_from_the_end_of_the_run():
    async def program():
        await trio.sleep(1)
        with trio.move_on_after(1):
            await trio.sleep(2)
        await trio.Event().wait()

    causes = [step.cause for step in simulate(program, detail=True).trace if step.cause]
    told = ["its sleep is over", "cancelled by its deadline", "cancelled, because the run is over"]
    assert [cause for cause in causes if cause in told] == told


def test_a_process_has_one_run_at_a_time():
    refused = []

    def simulate_too():
        try:
            simulate(busy)
        except RuntimeError as error:
            refused.append(str(error))

    async def program():
        await trio.to_thread.run_sync(simulate_too)

    assert simulate(program).error is None
    assert len(refused) == 1
    assert "another thread is inside a run" in refused[0]
