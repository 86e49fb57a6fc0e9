"""Programs with one hazard each, and one without; importable by a child process."""

from __future__ import annotations

import functools
import time
from random import random as early_random
from time import time as early_time

import trio

from pyvirt_sim.engine import note

FRUITS = ("apple", "banana", "cherry", "damson", "elder", "fig", "grape", "hazel")


class Job:
    def __init__(self, name: str) -> None:
        self.name = name


async def say(word: str) -> None:
    await trio.lowlevel.checkpoint()
    note("program", word)


async def harmless() -> str:
    async with trio.open_nursery() as nursery:
        for fruit in FRUITS:
            nursery.start_soon(say, fruit)
    return f"{time.time()} {sorted(set(FRUITS))}"


async def set_of_strings() -> None:
    async with trio.open_nursery() as nursery:
        for fruit in set(FRUITS):  # HAZARD
            nursery.start_soon(say, fruit)


async def set_of_objects() -> None:
    jobs = {Job(fruit) for fruit in FRUITS}
    for job in jobs:  # HAZARD
        await say(job.name)


async def imported_random() -> None:
    delay = early_random()  # HAZARD
    await trio.sleep(delay)


async def imported_time() -> str:
    now = early_time()  # HAZARD
    return f"it is {now}"


@functools.cache
def connection() -> object:
    note("program", "connected")
    return object()


async def state_that_outlives_a_run() -> None:
    connection()
    await trio.sleep(1)


async def local_time() -> str:
    hour = time.localtime(1_000_000_000).tm_hour  # HAZARD
    return f"it is {hour}"


async def order_of_hashes() -> None:
    words = sorted(FRUITS, key=hash)  # HAZARD
    if words[0] < words[1]:
        await trio.sleep(1)
    else:
        await trio.sleep(2)
