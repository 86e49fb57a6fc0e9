"""Deadlocks name who waits for what and for whom; programs that do not end name who spins."""

from __future__ import annotations

import attrs
import pytest
import trio

from pyvirt_sim.engine import DeadlockError, StepLimitError, simulate


@attrs.define
class Account:
    lock: trio.Lock = attrs.Factory(trio.Lock)


def deadlock_of(program):
    error = simulate(program).error
    assert isinstance(error, DeadlockError)
    return error


def by_name(error):
    return {task.path.rpartition("/")[2]: task for task in error.blocked}


def test_two_locks_taken_in_two_orders_are_a_circle_for_sure():
    async def program():
        one, two = Account(), Account()

        async def move(source, target):
            async with source.lock:
                await trio.lowlevel.checkpoint()
                async with target.lock:
                    pass

        async with trio.open_nursery() as nursery:
            nursery.start_soon(move, one, two, name="a")
            nursery.start_soon(move, two, one, name="b")

    error = deadlock_of(program)
    main, first, second = error.blocked
    assert main.what == "the end of a nursery"
    assert main.holders == (first.path, second.path)
    assert (first.what, first.relation) == ("Lock 'target.lock' (1 of 2)", "held by")
    assert second.what == "Lock 'target.lock' (2 of 2)"
    assert (first.holders, second.holders) == ((second.path,), (first.path,))
    assert [[task.path for task in cycle] for cycle in error.cycles] == [[first.path, second.path]]
    assert f"in a circle: {first.path} -> {second.path} -> {first.path}" in str(error)
    assert "perhaps" not in str(error)


def test_a_circle_through_channels_is_only_possible():
    async def program():
        to_a, in_a = trio.open_memory_channel[int](0)
        to_b, in_b = trio.open_memory_channel[int](0)

        async def pass_on(inbox, outbox):
            await outbox.send(await inbox.receive())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(pass_on, in_a, to_b, name="a")
            nursery.start_soon(pass_on, in_b, to_a, name="b")
            del to_a, in_a, to_b, in_b

    error = deadlock_of(program)
    tasks = by_name(error)
    assert tasks["a[0]"].what == "a value from memory channel 'inbox' (1 of 2)"
    assert tasks["a[0]"].relation == "could be sent by"
    assert tasks["a[0]"].holders == ("program/b[0]",)
    assert "perhaps in a circle: program/a[0] -> program/b[0] -> program/a[0]" in str(error)


@pytest.mark.parametrize(
    ("make", "wait", "what", "relation"),
    [
        (trio.Event, lambda event: event.wait(), "Event 'thing'", "could be set by"),
        (lambda: trio.Semaphore(0), lambda s: s.acquire(), "Semaphore 'thing'", "released by"),
        (
            lambda: trio.open_memory_channel[int](0)[0],
            lambda channel: channel.send(1),
            "room in memory channel 'thing'",
            "could be received by",
        ),
    ],
)
def test_what_trio_keeps_no_holder_of_is_looked_for_in_variables(make, wait, what, relation):
    async def knows(thing):
        await trio.sleep_forever()

    async def waits(thing):
        await wait(thing)

    async def nobody_knows():
        await waits(make())

    async def somebody_knows():
        shared = make()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(waits, shared)

    alone = deadlock_of(nobody_knows).blocked[0]
    assert (alone.what, alone.holders) == (what, ())
    assert relation in alone.relation
    assert str(alone).endswith("nobody")
    known = by_name(deadlock_of(somebody_knows))["waits[0]"]
    assert known.holders == (() if "channel" in what else ("somebody_knows",))


def test_a_limiter_names_its_borrowers_and_counts_those_that_are_no_tasks():
    async def program():
        limiter = trio.CapacityLimiter(2)
        await limiter.acquire_on_behalf_of("somebody")

        async def borrow():
            async with limiter:
                await trio.sleep_forever()

        async def wants():
            async with limiter:
                pass

        async with trio.open_nursery() as nursery:
            nursery.start_soon(borrow)
            nursery.start_soon(wants)

    waits = by_name(deadlock_of(program))["wants[0]"]
    assert (waits.holders, waits.strangers, waits.is_known) == (("program/borrow[0]",), 1, True)


def test_a_condition_is_told_from_its_lock():
    async def program():
        condition = trio.Condition()

        async def waiter():
            async with condition:
                await condition.wait()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(waiter)

    waits = by_name(deadlock_of(program))["waiter[0]"]
    assert waits.what == "a notification of Condition 'condition'"
    assert waits.holders == ("program",)


def test_a_task_that_sleeps_for_ever_waits_for_nobody():
    task = deadlock_of(trio.sleep_forever).blocked[0]
    assert (task.what, task.holders, task.waits_for) == ("", (), "sleep_forever")


def test_looking_into_variables_runs_no_code_of_the_program():
    class Trap:
        def __getattr__(self, name):
            raise AssertionError("touched")

        def __eq__(self, other):
            raise AssertionError("compared")

        def __hash__(self):
            raise AssertionError("hashed")

    async def program():
        trap = Trap()
        limiter = trio.CapacityLimiter(1)
        event = trio.Event()
        await limiter.acquire_on_behalf_of(object())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(event.wait)
            nursery.start_soon(limiter.acquire)
        del trap

    assert "program" in by_name(deadlock_of(program))["wait[0]"].holders


def test_a_busy_loop_is_told_with_its_line_while_time_stands_still():
    async def program():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 9)
            while True:
                await trio.lowlevel.checkpoint()

    error = simulate(program, max_steps=500).error
    assert isinstance(error, StepLimitError)
    spin = error.spin
    assert (spin.time_s, spin.window_s, spin.period) == (0, 0, 1)
    assert spin.steps_at_instant == 501
    assert spin.tasks[0].path == "program"
    assert "test_waits.py" in spin.tasks[0].location
    assert "time stands still at 0 s for 501 steps; the same step again and again" in str(error)


def test_a_loop_that_lets_time_pass_is_told_with_its_rate():
    async def program():
        async def tick():
            while True:
                await trio.sleep(0.5)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(tick)
            nursery.start_soon(tick)

    error = simulate(program, max_steps=3000).error
    assert isinstance(error, StepLimitError)
    assert error.spin.window_s == pytest.approx(250, abs=1)
    assert error.spin.period == 2
    assert "4 steps per virtual second; the same 2 steps again and again" in str(error)


def test_the_texts_are_free_of_addresses():
    async def program():
        condition = trio.Condition()
        async with condition:
            await condition.wait()

    assert "0x" not in str(deadlock_of(program))
