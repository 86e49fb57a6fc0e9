"""A small program with the founding bug's shape: reports are tested without the driver."""

from __future__ import annotations

from contextlib import nullcontext

import trio

from pyvirt_sim.checkers import Observation
from pyvirt_sim.checkers.promise import require
from pyvirt_sim.engine import note
from pyvirt_sim.explore import Subject
from pyvirt_sim.scenarios import Scenario

PROMISE = "Who hears <removed> finds no trace of the device."


async def announces_too_early() -> None:
    """A library that announces a removal and forgets the device one step later."""
    active = {"net0"}
    send, receive = trio.open_memory_channel[str](1)
    forward, inbox = trio.open_memory_channel[str](1)

    async def listener() -> None:
        note("client", "hears of it", event=await receive.receive())
        await forward.send("removed")

    async def worker() -> None:
        await inbox.receive()
        seen = "yes" if "net0" in active else "no"
        require(
            "gone-means-gone",
            PROMISE,
            "the client acts",
            [
                Observation("is net0 <b>active</b>?", "no", seen),
                Observation("is the client awake?", "yes", "yes"),
            ],
        )
        note("client", "is content")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker, name="worker")
        nursery.start_soon(listener, name="listener")
        await trio.testing.wait_all_tasks_blocked()
        note("library", "announces")
        send.send_nowait("removed")
        await trio.lowlevel.checkpoint()
        active.discard("net0")
        note("library", "forgets net0")


async def fails_always() -> None:
    """A program that no schedule helps."""
    note("client", "divides")
    raise ZeroDivisionError("<by nothing>")


async def waits_for_ever() -> None:
    """A program that hangs."""
    await trio.sleep_forever()


def subject(program: object = announces_too_early) -> Subject:
    """The toy as something to hunt."""
    scenario = Scenario("toy", "A <toy> is removed.", PROMISE, program)  # type: ignore[arg-type]
    return Subject("toy", scenario, nullcontext, is_mutant=True, title=scenario.summary)
