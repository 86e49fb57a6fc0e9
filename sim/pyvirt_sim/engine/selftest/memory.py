"""Ten thousand runs in one process leave as much behind as two thousand: nothing.

Counted are the objects that the garbage collector knows, after a full collection, and the memory
that the process has resident. Both are taken in a child, so that nothing of the caller counts.
"""

from __future__ import annotations

import gc
import json
import resource
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import trio

from pyvirt_sim.engine.choosers.basic import RandomWalk
from pyvirt_sim.engine.run import simulate
from pyvirt_sim.engine.selftest.check import Verdict
from pyvirt_sim.engine.selftest.fresh import Fresh, run_fresh
from pyvirt_sim.engine.selftest.recordings import lost_reply, over_tcp

__all__ = ["RUNS", "check", "judge", "measure"]

RUNS: Final = (2_000, 10_000)
# Caches inside Python may still fill: a leak of one object per run would show as 8,000.
OBJECTS_ALLOWED: Final = 200
# The allocator rounds up to arenas of 1 MiB. A leak of 300 bytes per run would show as 2.3 MiB.
KIB_ALLOWED: Final = 2_048


async def passes() -> None:
    """Ends well."""
    await lost_reply()


async def fails() -> None:
    """Ends with an error while another task waits."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep, 2)
        await trio.sleep(1)
        raise ValueError("on purpose")


async def cancels() -> None:
    """Cancels itself, generators and shields included."""
    generator = _endless()
    await anext(generator)
    with trio.move_on_after(1):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            with trio.CancelScope(shield=True):
                await trio.sleep(2)


async def _endless() -> AsyncGenerator[int, None]:
    try:
        while True:
            yield 1
    finally:
        await trio.lowlevel.checkpoint()


async def deadlocks() -> None:
    """Waits for nobody."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)


async def never_ends() -> None:
    """Takes steps for ever."""
    while True:
        await trio.lowlevel.checkpoint()


async def escapes() -> None:
    """Reaches for a real file descriptor."""
    await trio.lowlevel.wait_readable(0)


async def refuses() -> None:
    """Does not end when cancelled, and awaits when closed."""
    try:
        while True:
            try:
                await trio.sleep_forever()
            except trio.Cancelled:
                continue
    finally:
        await trio.sleep(1)


# How many runs of each kind make up a hundred. Most runs of a hunt pass; one that refuses to end
# takes ten thousand steps.
PROGRAMS: Final[dict[str, tuple[Callable[[], Awaitable[Any]], int]]] = {
    "passes": (passes, 50),
    "passes, over TCP and with threads": (over_tcp, 10),
    "fails": (fails, 10),
    "cancels": (cancels, 10),
    "deadlocks": (deadlocks, 10),
    "never ends": (never_ends, 4),
    "escapes": (escapes, 5),
    "refuses to end": (refuses, 1),
}


def _measure() -> tuple[int, int]:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return len(gc.get_objects()), pages * resource.getpagesize() // 1024


def child() -> None:
    """Run everything and print what there is after so many runs."""
    warnings.simplefilter("ignore", ResourceWarning)
    chooser = RandomWalk(1)
    found: dict[str, tuple[int, int]] = {}
    for runs in range(100, RUNS[-1] + 1, 100):
        for program, count in PROGRAMS.values():
            for _ in range(count):
                simulate(program, chooser=chooser, max_steps=200)
        if runs in RUNS:
            found[str(runs)] = _measure()
    print(json.dumps(found))


def judge(then: tuple[int, int], now: tuple[int, int]) -> Verdict:
    """Compare (objects, KiB) after the first thousands of runs and after all of them."""
    problems: list[str] = []
    if now[0] - then[0] > OBJECTS_ALLOWED:
        problems.append(f"{now[0] - then[0]} more objects after {RUNS[1]} runs")
    if now[1] - then[1] > KIB_ALLOWED:
        problems.append(f"{now[1] - then[1]} KiB more memory after {RUNS[1]} runs")
    return Verdict(
        f"after {RUNS[0]} runs {then[0]} objects and {then[1]} KiB, "
        f"after {RUNS[1]} runs {now[0]} objects and {now[1]} KiB",
        tuple(problems),
        tuple(f"{count} in 100 runs: {name}" for name, (_, count) in PROGRAMS.items()),
    )


def measure() -> tuple[tuple[int, int], tuple[int, int]]:
    """Return (objects, KiB) of a fresh process after each number of `RUNS`."""
    [text] = run_fresh([Fresh(["-c", f"from {__name__} import child; child()"])])
    found = json.loads(text)
    then, now = (found[str(runs)] for runs in RUNS)
    return (then[0], then[1]), (now[0], now[1])


def check() -> Verdict:
    """Run ten thousand runs in a fresh process and compare what is left."""
    return judge(*measure())
