"""Small programs that the tests of the engine run."""

from __future__ import annotations

from collections.abc import AsyncIterator

import trio
import trio.testing

from pyvirt_sim.engine import choose_from, draw, note


class LostUpdateError(AssertionError):
    """Two tasks read the same value, and one of their writes was lost."""


async def lost_update() -> None:
    """A race that the canonical schedule does not meet: a pause between reading and writing."""
    total = 0

    async def add(pauses: int) -> None:
        nonlocal total
        for _ in range(pauses):
            await trio.lowlevel.checkpoint()
        seen = total
        await trio.lowlevel.checkpoint()
        total = seen + 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(add, 0)
        nursery.start_soon(add, 4)
    if total != 2:
        raise LostUpdateError(total)


async def busy() -> list[str]:
    """Touch most of Trio: the log it returns differs from schedule to schedule."""
    log: list[str] = []
    lock, event, limiter = trio.Lock(), trio.Event(), trio.CapacityLimiter(2)
    send, receive = trio.open_memory_channel[int](1)

    async def numbers() -> AsyncIterator[int]:
        for number in range(3):
            await trio.sleep(0.1)
            yield number

    async def worker(name: str) -> None:
        await event.wait()
        async with limiter, lock:
            await trio.lowlevel.checkpoint()
            log.append(f"{name} {draw('data', 'colour', 3)} {choose_from('faults', 'f', 'ab')}")
            note(name, "worked", seen={"b", "a"})

    async def producer() -> None:
        async with send:
            async for number in numbers():
                await send.send(number)

    async def stubborn() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.5)
            log.append("stubborn ended")

    async def service(task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started("up")
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        for number in range(4):
            nursery.start_soon(worker, f"w{number}")
        nursery.start_soon(producer)
        nursery.start_soon(stubborn)
        log.append(await nursery.start(service))
        await trio.testing.wait_all_tasks_blocked()
        event.set()
        log.append(str(await trio.to_thread.run_sync(lambda: 42)))
        log.extend([str(number) async for number in receive])
        with trio.move_on_after(0.3):
            await trio.sleep_forever()
        nursery.cancel_scope.cancel()
    log.append(f"{trio.current_time():.3f}")
    return log


async def hazards() -> list[str]:
    """Every order inside Trio that comes from an address (cancel, set, deadlines, generators)."""
    log: list[str] = []

    async def sleeper(name: str, deadline: float) -> None:
        try:
            with trio.CancelScope(deadline=deadline):
                await trio.sleep_forever()
        finally:
            log.append(name)

    async def aborted(name: str) -> None:
        def abort(_: object) -> trio.lowlevel.Abort:
            log.append(f"abort {name}")
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    async def blocked(name: str) -> None:
        await trio.testing.wait_all_tasks_blocked()
        log.append(f"quiet {name}")

    async def endless(name: str) -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            log.append(f"closed {name}")

    event = trio.Event()

    async def waiter(name: str) -> None:
        await event.wait()
        log.append(f"event {name}")

    generators = [endless(str(number)) for number in range(8)]
    for generator in generators:
        await generator.__anext__()
    async with trio.open_nursery() as nursery:
        for number in range(8):
            nursery.start_soon(sleeper, f"deadline {number}", 1.0)
            nursery.start_soon(waiter, str(number))
            nursery.start_soon(blocked, str(number))
        await trio.testing.wait_all_tasks_blocked()
        event.set()
        await trio.sleep(2)
        for number in range(8):
            nursery.start_soon(aborted, str(number))
            nursery.start_soon(sleeper, f"cancel {number}", 99.0)
        await trio.testing.wait_all_tasks_blocked()
        log.extend(task.name + str(task._counter) for task in nursery.child_tasks)
        nursery.cancel_scope.cancel()
    keep.append(generators)
    return log


# Keeps the generators of `hazards` alive to the end of their run, where Trio closes them.
keep: list[object] = []
