"""The hazards: programs whose outcome shows an order that a plain Trio takes from addresses."""

from __future__ import annotations

import gc
import os
import random
import secrets
import tempfile
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import trio
import trio.testing

__all__ = ["HAZARDS"]

COUNT: Final = 8


async def _ends(log: list[str], name: str) -> None:
    try:
        await trio.sleep_forever()
    finally:
        log.append(name)


async def cancelled_children() -> list[str]:
    """In which order eight cancelled children end."""
    log: list[str] = []
    async with trio.open_nursery() as nursery:
        for number in range(COUNT):
            nursery.start_soon(_ends, log, str(number))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    return log


async def event_waiters() -> list[str]:
    """In which order eight waiters of an event wake."""
    log: list[str] = []
    event = trio.Event()

    async def wait(name: str) -> None:
        await event.wait()
        log.append(name)

    async with trio.open_nursery() as nursery:
        for number in range(COUNT):
            nursery.start_soon(wait, str(number))
        await trio.testing.wait_all_tasks_blocked()
        event.set()
    return log


async def equal_deadlines() -> list[str]:
    """In which order eight scopes with one deadline expire."""
    log: list[str] = []

    async def expire(name: str) -> None:
        with trio.CancelScope(deadline=1):
            await _ends(log, name)

    async with trio.open_nursery() as nursery:
        for number in range(COUNT):
            nursery.start_soon(expire, str(number))
    return log


async def _aborted(log: list[str], name: str) -> None:
    def abort(_: object) -> trio.lowlevel.Abort:
        log.append(name)
        return trio.lowlevel.Abort.SUCCEEDED

    await trio.lowlevel.wait_task_rescheduled(abort)


async def aborts_on_cancel() -> list[str]:
    """In which order a cancelled scope calls the abort functions of eight tasks."""
    log: list[str] = []
    async with trio.open_nursery() as nursery:
        for number in range(COUNT):
            nursery.start_soon(_aborted, log, str(number))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    return log


async def aborts_on_equal_deadlines() -> list[str]:
    """The same for eight scopes that expire together."""
    log: list[str] = []

    async def expire(name: str) -> None:
        with trio.CancelScope(deadline=1):
            await _aborted(log, name)

    async with trio.open_nursery() as nursery:
        for number in range(COUNT):
            nursery.start_soon(expire, str(number))
    return log


async def nested_scopes() -> list[str]:
    """In which order the scopes inside a cancelled scope hear of it."""
    log: list[str] = []

    async def nested(name: str) -> None:
        with trio.CancelScope():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_aborted, log, name)

    async with trio.open_nursery() as nursery:
        for number in range(COUNT):
            nursery.start_soon(nested, str(number))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    return log


async def child_tasks() -> list[str]:
    """In which order a nursery lists its children."""
    async with trio.open_nursery() as nursery:
        names: list[str] = []
        for number in range(COUNT):
            nursery.start_soon(_ends, names, str(number), name=str(number))
        listed = [task.name for task in nursery.child_tasks]
        nursery.cancel_scope.cancel()
    return listed


async def idle_waiters() -> list[str]:
    """In which order eight tasks hear that everything is blocked."""
    log: list[str] = []

    async def wait(name: str) -> None:
        await trio.testing.wait_all_tasks_blocked()
        log.append(name)

    async with trio.open_nursery() as nursery:
        for number in range(COUNT):
            nursery.start_soon(wait, str(number))
    return log


async def closed_channel() -> list[str]:
    """In which order eight receivers learn that their channel was closed."""
    log: list[str] = []
    send, receive = trio.open_memory_channel[int](0)

    async def wait(name: str) -> None:
        async for _ in receive:
            pass
        log.append(name)

    async with trio.open_nursery() as nursery:
        for number in range(COUNT):
            nursery.start_soon(wait, str(number))
        await trio.testing.wait_all_tasks_blocked()
        send.close()
    return log


async def _endless(log: list[str], name: str) -> AsyncGenerator[int, None]:
    try:
        while True:
            yield 1
    finally:
        log.append(name)


_kept: list[object] = []


async def generators_at_exit() -> list[str]:
    """In which order generators that are still open are closed when the program has ended.

    They are closed after the program returns: the list it returns is filled only then.
    """
    log: list[str] = []
    generators = [_endless(log, str(number)) for number in range(COUNT)]
    for generator in generators:
        await anext(generator)
    _kept.append(generators)
    return log


async def collected_generator() -> list[str]:
    """When a generator that is part of a cycle is collected and closed."""
    log: list[str] = []

    async def leave_a_cycle(name: str) -> None:
        generator = _endless(log, name)
        cycle: list[object] = [generator]
        cycle.append(cycle)
        await anext(generator)

    async def allocate() -> None:
        for number in range(40):
            _kept.append([[number] for _ in range(20)])
            log.append("step")
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(leave_a_cycle, str(number))
        nursery.start_soon(allocate)
    _kept.clear()
    return [*log, str(gc.isenabled())]


async def names_of_things() -> list[str]:
    """What tasks, scopes and cancellations are called: no addresses."""
    log: list[str] = []
    with trio.move_on_after(1) as scope:
        log += [repr(trio.lowlevel.current_task()), repr(scope)]
        try:
            await trio.sleep_forever()
        except trio.Cancelled as cancelled:
            log.append(repr(cancelled))
            raise
    return log


async def chance() -> list[str]:
    """What a program gets that asks for something random."""
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(trio.lowlevel.checkpoint)
    return [
        str(random.random()),
        str(random.choice(range(1000))),
        str(random.Random().random()),
        str(uuid.uuid1()),
        str(uuid.uuid4()),
        os.urandom(8).hex(),
        secrets.token_hex(8),
        Path(tempfile.mktemp(dir="/")).name,  # pyright: ignore[reportDeprecated]
    ]


async def clocks() -> list[str]:
    """What a program sees that looks at a clock."""
    await trio.sleep(1.5)
    return [
        str(time.time_ns()),
        str(time.monotonic_ns()),
        str(time.perf_counter_ns()),
        str(datetime.now(tz=UTC)),
        time.ctime(),
    ]


HAZARDS: Final[dict[str, Callable[[], Awaitable[list[str]]]]] = {
    "cancel 8 children": cancelled_children,
    "Event.set with 8 waiters": event_waiters,
    "8 equal deadlines": equal_deadlines,
    "abort callbacks on cancel": aborts_on_cancel,
    "abort callbacks on equal deadlines": aborts_on_equal_deadlines,
    "8 scopes inside a cancelled one": nested_scopes,
    "iterating child_tasks": child_tasks,
    "8 tasks in wait_all_tasks_blocked": idle_waiters,
    "closing a channel with 8 receivers": closed_channel,
    "async generators left at exit": generators_at_exit,
    "collecting a cyclic async generator": collected_generator,
    "names of tasks, scopes and cancellations": names_of_things,
    "random, uuid, secrets, tempfile": chance,
    "clocks": clocks,
}
