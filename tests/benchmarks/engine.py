"""How fast the engine runs a program, against plain Trio with an autojump clock.

Both arms run the same program in the same process, alternating in short blocks, because this is
the only comparison that a machine shared with others cannot spoil; the medians of the blocks are
compared. The engine records every decision, plain Trio nothing. Plain Trio is measured without the
engine's changes of its ordering.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Awaitable, Callable

import trio
import trio.testing

from pyvirt_sim.engine import RandomWalk, ordering, simulate
from pyvirt_sim.scenarios import scenario_named
from tests.benchmarks.table import Row

BLOCKS = 15
STEPS = 10_000
Program = Callable[[], Awaitable[None]]


async def empty() -> None:
    """Do nothing: what is measured is the start and the end of a run."""


async def messages() -> None:
    """Ten tasks: four clients ask a server with four workers, one task keeps time."""
    requests_in, requests_out = trio.open_memory_channel[trio.MemorySendChannel[int]](2)

    async def worker() -> None:
        async for reply in requests_out:
            await trio.sleep(0.01)
            await reply.send(1)

    async def client() -> None:
        answer_in, answer_out = trio.open_memory_channel[int](1)
        for _ in range(5):
            with trio.fail_after(1):
                await requests_in.send(answer_in)
                await answer_out.receive()

    async def clock() -> None:
        for _ in range(3):
            await trio.sleep(0.01)

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(worker)
        async with trio.open_nursery() as clients:
            clients.start_soon(clock)
            for _ in range(4):
                clients.start_soon(client)
        nursery.cancel_scope.cancel()


async def two_hundred_tasks() -> None:
    """Two hundred tasks pass a token around a ring, sleep, and pass it on again."""
    count = 200
    channels = [trio.open_memory_channel[int](1) for _ in range(count)]

    async def member(index: int) -> None:
        inbox, onward = channels[index][1], channels[(index + 1) % count][0]
        for _ in range(2):
            await onward.send(index)
            await inbox.receive()
            await trio.sleep(0.001 * (index % 7))

    async with trio.open_nursery() as nursery:
        for index in range(count):
            nursery.start_soon(member, index)


async def steps() -> None:
    """Twenty tasks that do nothing but yield: ten thousand steps, all of them the engine's own."""

    async def spin() -> None:
        for _ in range(STEPS // 20):
            await trio.lowlevel.cancel_shielded_checkpoint()

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(spin)


def _time_engine(program: Program, runs: int) -> float:
    ordering.install()
    chooser = RandomWalk(1)
    begin = time.perf_counter()
    for _ in range(runs):
        simulate(program, chooser=chooser).unwrap()
    return (time.perf_counter() - begin) / runs


def _time_plain(program: Program, runs: int) -> float:
    ordering.uninstall()
    begin = time.perf_counter()
    for _ in range(runs):
        trio.run(program, clock=trio.testing.MockClock(autojump_threshold=0))
    elapsed = (time.perf_counter() - begin) / runs
    ordering.install()
    return elapsed


def compare(program: Program, runs: int) -> tuple[float, float]:
    """Return runs per second of the engine and of plain Trio, medians over alternating blocks."""
    ours: list[float] = []
    peer: list[float] = []
    for _ in range(BLOCKS):
        for times, timed in ((ours, _time_engine), (peer, _time_plain)):
            gc.collect()
            times.append(timed(program, runs))
    return 1 / statistics.median(ours), 1 / statistics.median(peer)


def rows() -> list[Row]:
    """Measure the programs.

    The engine's own share of a step is small: what a program does itself (here: the library, the
    simulated QEMU, Trio's channels) costs the same in both arms and bounds the ratio from above.
    """
    measured: list[Row] = []
    plain = "trio.run with autojump"
    for name, program, runs, aim in (
        ("engine, empty program", empty, 100, ">= 3.0"),
        ("engine, 10 tasks passing messages", messages, 15, ">= 1.4"),
        ("engine, 200 tasks", two_hundred_tasks, 2, ">= 1.2"),
        ("engine, founding scenario", scenario_named("hot-unplug").program, 5, ">= 1.4"),
    ):
        ours, peer = compare(program, runs)
        measured.append(Row(name, ours, "runs/s", plain, peer, ours / peer, aim))
    ours, peer = (STEPS * rate for rate in compare(steps, 1))
    name = "engine, steps that only yield, 20 tasks"
    measured.append(Row(name, ours, "steps/s", plain, peer, ours / peer, ">= 1.0"))
    return measured


if __name__ == "__main__":
    for row in rows():
        print(row)
