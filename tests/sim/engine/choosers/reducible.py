"""Programs whose schedules fall into fewer classes: what the reduction is measured on."""

from __future__ import annotations

import trio

from pyvirt_sim.engine import Shared, labelled_only


def counters(tasks, cells):
    """Return a program: task i adds 1 to cell i modulo ``cells``, reading and writing in two steps.

    Classes: only tasks of one cell conflict, so they are counted cell by cell.
    """

    async def program():
        with labelled_only():
            values = [Shared(0) for _ in range(cells)]

            async def add(cell):
                seen = cell.value
                await trio.lowlevel.checkpoint()
                cell.value = seen + 1

            async with trio.open_nursery() as nursery:
                for number in range(tasks):
                    nursery.start_soon(add, values[number % cells])
            return [cell.value for cell in values]

    return program


def handover(bystanders):
    """Return a program: two producers, a consumer, a channel that is soon full, and bystanders."""

    async def program():
        with labelled_only():
            send, receive = trio.open_memory_channel[str](1)
            got: Shared[tuple[str, ...]] = Shared(())

            async def produce(name, end):
                async with end:
                    await end.send(name)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(produce, "a", send.clone())
                nursery.start_soon(produce, "b", send)
                for _ in range(bystanders):
                    nursery.start_soon(trio.lowlevel.checkpoint)
                async for item in receive:
                    got.value = (*got.value, item)
            return got.value

    return program


async def timeout_and_cancel():
    """A request is answered, times out, or is cancelled by somebody who has lost patience."""
    with labelled_only():
        answered = trio.Event()
        log: Shared[tuple[str, ...]] = Shared(())

        async def ask():
            with trio.move_on_after(1) as scope:
                await answered.wait()
            log.value = (*log.value, "timeout" if scope.cancelled_caught else "answer")

        async def answer():
            await trio.sleep(1)
            answered.set()

        async def lose_patience(nursery):
            await trio.sleep(1)
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as outer:
            async with trio.open_nursery() as nursery:
                outer.start_soon(answer)
                nursery.start_soon(ask)
                nursery.start_soon(ask)
                nursery.start_soon(lose_patience, nursery)
        return log.value
