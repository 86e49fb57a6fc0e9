"""Worker threads: real ones, one at a time, and every order of their pauses can be chosen."""

from __future__ import annotations

import _thread
import contextvars
import signal
import threading
import time
from typing import Any

import pytest
import trio

from pyvirt_sim.engine import DeadlockError, EscapeError, RandomWalk, hunt, replay, simulate
from pyvirt_sim.engine.fence import baton
from pyvirt_sim.engine.hunt import raise_if_interrupted


async def three_workers():
    """Three workers that enter Trio and come back; returns what happened, in order."""
    log = []

    def work(name):
        log.append(f"{name} begins")
        trio.from_thread.run(trio.lowlevel.checkpoint)
        log.append(f"{name} ends")

    async with trio.open_nursery() as nursery:
        for name in "abc":
            nursery.start_soon(trio.to_thread.run_sync, work, name)
    return tuple(log)


def test_workers_interleave_where_they_enter_trio_and_replay():
    seen = set()
    for seed in range(60):
        run = simulate(three_workers, chooser=RandomWalk(seed))
        seen.add(run.unwrap())
        assert replay(three_workers, run.tape).value == run.value
    firsts = {tuple(line[0] for line in log if "begins" in line) for log in seen}
    lasts = {tuple(line[0] for line in log if "ends" in line) for log in seen}
    assert (len(firsts), len(lasts)) == (6, 6)
    assert any(log[1].endswith("begins") for log in seen)
    assert any(log[1].endswith("ends") for log in seen)


def test_a_race_between_workers_is_found():
    async def program():
        stock = 1

        def buy():
            nonlocal stock
            if stock > 0:
                trio.from_thread.run_sync(int)  # asks the event loop for something
                stock -= 1

        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(trio.to_thread.run_sync, buy)
        assert stock == 0

    assert hunt(program, schedules=100).found is not None


def test_a_worker_is_a_thread_of_its_own_with_a_value_an_error_and_a_context():
    variable = contextvars.ContextVar("variable", default="unset")

    async def program():
        variable.set("mine")
        ident = threading.get_ident()

        def work():
            with pytest.raises(RuntimeError):
                trio.lowlevel.current_task()
            seen = variable.get()
            variable.set("changed")
            return threading.get_ident() != ident, seen, trio.from_thread.run_sync(variable.get)

        def fails():
            raise KeyError("from a thread")

        with pytest.raises(KeyError, match="from a thread"):
            await trio.to_thread.run_sync(fails)
        return *await trio.to_thread.run_sync(work), variable.get()

    assert simulate(program).unwrap() == (True, "mine", "changed", "mine")


def test_from_thread_runs_async_code_in_virtual_time():
    async def program():
        def work():
            trio.from_thread.run(trio.sleep, 5)
            return trio.from_thread.run_sync(trio.current_time)

        return await trio.to_thread.run_sync(work)

    assert simulate(program).unwrap() == 5


def test_time_sleep_in_a_worker_takes_virtual_time():
    async def program():
        with trio.move_on_after(1) as scope:
            await trio.to_thread.run_sync(time.sleep, 3)
        return trio.current_time(), scope.cancelled_caught

    assert simulate(program).unwrap() == (3, False)


def test_a_limiter_holds_workers_back():
    async def program():
        limiter, most = trio.CapacityLimiter(2), 0

        def work():
            nonlocal most
            most = max(most, limiter.borrowed_tokens)
            time.sleep(1)

        async with trio.open_nursery() as nursery:
            for _ in range(6):
                nursery.start_soon(lambda: trio.to_thread.run_sync(work, limiter=limiter))
        return most, trio.current_time()

    for seed in range(10):
        assert simulate(program, chooser=RandomWalk(seed)).unwrap() == (2, 3)


def test_an_abandoned_worker_does_not_hold_up_the_run():
    ended = []

    async def program():
        def work():
            try:
                time.sleep(100)
            finally:
                ended.append(True)

        with trio.move_on_after(1) as scope:
            await trio.to_thread.run_sync(work, abandon_on_cancel=True)
        return scope.cancelled_caught, trio.current_time()

    run = simulate(program)
    assert run.unwrap() == (True, 1)
    assert (run.time_s, ended) == (1, [True])


def test_a_worker_that_polls_for_its_cancellation_ends():
    async def program():
        def work():
            while True:
                trio.from_thread.check_cancelled()

        with trio.move_on_after(0.5) as scope:
            await trio.to_thread.run_sync(work)
        return scope.cancelled_caught

    run = simulate(program)
    assert run.unwrap() is True
    assert run.time_s == pytest.approx(0.5)


def test_cancelling_a_worker_that_is_inside_trio():
    async def program():
        with trio.move_on_after(2) as scope:
            await trio.to_thread.run_sync(trio.from_thread.run, trio.sleep_forever)
        return scope.cancelled_caught, trio.current_time()

    assert simulate(program).unwrap() == (True, 2)


def test_a_token_works_from_a_worker_and_not_from_another_thread():
    async def from_worker():
        event, token = trio.Event(), trio.lowlevel.current_trio_token()
        await trio.to_thread.run_sync(token.run_sync_soon, event.set)
        await event.wait()

    async def from_elsewhere():
        token = trio.lowlevel.current_trio_token()
        inside.append(token)
        go.set()
        done.wait(10)

    def other():
        go.wait(10)
        try:
            inside[0].run_sync_soon(int)
        except EscapeError as error:
            inside.append(error)
        done.set()

    assert simulate(from_worker).error is None
    inside: list[Any] = []
    go, done = threading.Event(), threading.Event()
    thread = threading.Thread(target=other)
    thread.start()
    run = simulate(from_elsewhere)
    thread.join()
    assert isinstance(run.error, EscapeError)
    assert run.error is inside[1]


def test_thread_locals_do_not_reach_the_next_run_and_threads_end_with_theirs():
    local = threading.local()
    before = threading.active_count()

    async def program():
        def work():
            known = getattr(local, "value", 0)
            local.value = known + 1
            return known

        return [await trio.to_thread.run_sync(work) for _ in range(3)]

    for _ in range(2):
        assert simulate(program).unwrap() == [0, 1, 2]
    assert threading.active_count() == before


def test_a_worker_that_waits_for_another_thread_is_an_escape(monkeypatch):
    monkeypatch.setattr(baton, "PATIENCE_S", 0.02)

    async def program():
        await trio.to_thread.run_sync(lambda: threading.Event().wait())

    error = simulate(program).error
    assert isinstance(error, EscapeError)
    assert "waiting for another thread" in error.what
    assert "in <lambda>" in error.site


def test_a_deadlock_of_workers_is_reported_and_leaves_no_thread():
    before = threading.active_count()

    async def program():
        await trio.to_thread.run_sync(trio.from_thread.run, trio.sleep_forever)

    assert isinstance(simulate(program).error, DeadlockError)
    assert threading.active_count() == before


def test_ctrl_c_while_a_worker_runs_ends_the_run():
    async def program():
        await trio.to_thread.run_sync(_thread.interrupt_main)
        await trio.sleep(1)

    # Started by a shell in the background, a process ignores Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            raise_if_interrupted(simulate(program).error)
    finally:
        signal.signal(signal.SIGINT, before)


def test_outside_a_run_trio_has_its_own_threads():
    simulate(three_workers)

    async def program():
        return await trio.to_thread.run_sync(lambda: trio.from_thread.run_sync(int))

    assert trio.run(program) == 0
