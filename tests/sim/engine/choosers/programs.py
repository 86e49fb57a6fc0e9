"""Programs for the choosers: each has one race, or none."""

from __future__ import annotations

import trio

from tests.sim.engine.programs import LostUpdateError


class StarvedError(AssertionError):
    """A task was overtaken by a whole exchange of others."""


def tasks_of(*lengths):
    """Return a program of independent tasks with so many steps each."""

    async def program():
        async def task(steps):
            for _ in range(steps - 1):
                await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            for steps in lengths:
                nursery.start_soon(task, steps)

    return program


async def shallow():
    """Fails whenever the second of two tasks comes first: every other schedule."""
    first: list[str] = []

    async def arrive(name):
        first.append(name)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(arrive, "expected")
        nursery.start_soon(arrive, "early")
    if first[0] != "expected":
        raise StarvedError(first)


async def lost_update():
    """Two tasks pause between reading and writing, one of them late, among two bystanders."""
    total = 0

    async def add(pauses):
        nonlocal total
        for _ in range(pauses):
            await trio.lowlevel.checkpoint()
        seen = total
        await trio.lowlevel.checkpoint()
        total = seen + 1

    async def stand_by():
        for _ in range(6):
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(add, 0)
        nursery.start_soon(stand_by)
        nursery.start_soon(stand_by)
        nursery.start_soon(add, 6)
    if total != 2:
        raise LostUpdateError(total)


async def starvation():
    """A task that has one step to go is overtaken by a request, its answer and what follows."""
    done = False
    requests_in, requests_out = trio.open_memory_channel[int](0)
    answers_in, answers_out = trio.open_memory_channel[int](0)

    async def server():
        async for request in requests_out:
            await trio.lowlevel.checkpoint()
            await answers_in.send(request)

    async def finish():
        nonlocal done
        await trio.lowlevel.checkpoint()
        done = True

    async def noise():
        for _ in range(3):
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(server)
        nursery.start_soon(finish)
        nursery.start_soon(noise)
        nursery.start_soon(noise)
        for number in range(3):
            await requests_in.send(number)
            await answers_out.receive()
        requests_in.close()
        is_done = done
    if not is_done:
        raise StarvedError("three exchanges took place before one step")
