"""trio-websocket, client and server unmodified, over the simulated network.

What is shown: under many random schedules, with reads cut anywhere and messages that stall half
way, the library's own protocol never fails; and a race in a user's handler is found.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import attrs
import trio
from trio_websocket import (
    ConnectionClosed,
    WebSocketConnection,
    WebSocketRequest,
    open_websocket,
    serve_websocket,
)

from pyvirt_sim.engine.choosers import RandomWalk
from pyvirt_sim.engine.hunt import hunt
from pyvirt_sim.engine.net import LinkPlan, current_network
from pyvirt_sim.engine.node import Node
from pyvirt_sim.engine.record import Run
from pyvirt_sim.engine.run import replay
from pyvirt_sim.engine.selftest.check import Verdict
from pyvirt_sim.engine.shrink import ShrinkResult, shrink

__all__ = [
    "WebSocketCounts",
    "check",
    "echo_program",
    "find_seeded_bug",
    "forgetful_program",
    "websocket_check",
]

Handler = Callable[[WebSocketRequest], Awaitable[None]]

# Reads return any part of what has arrived; one message in six stops at some byte for a while.
PLAN: Final = LinkPlan(split_reads=True, stall_one_in=6, stall_s=(0.01, 1.0))
PORT: Final = 80
MESSAGES: Final = ("hello", b"\x00\xff binary", "", "x" * 300)


@attrs.frozen
class WebSocketCounts:
    """What `websocket_check` saw.

    Attributes:
        schedules: how many schedules ran; none failed.
        steps: their task steps together.
        cut_reads: reads that returned a part of what had arrived.
        stalls: messages that stopped half way.
        tapes: how many of the schedules differed from all others.
    """

    schedules: int
    steps: int
    cut_reads: int
    stalls: int
    tapes: int


async def echo(request: WebSocketRequest) -> None:
    """Send every message back to who sent it."""
    socket = await request.accept()
    try:
        while True:
            await socket.send_message(await socket.get_message())
    except ConnectionClosed:
        pass


def forgetful() -> Handler:
    """Return a handler with a bug: all connections share one queue of messages to be answered.

    That works as long as whoever put a message in first also comes first to take one out.
    """
    desk: list[str | bytes] = []

    async def handle(request: WebSocketRequest) -> None:
        socket = await request.accept()
        try:
            while True:
                desk.append(await socket.get_message())
                await trio.lowlevel.checkpoint()  # as if it asked a database
                await socket.send_message(desk.pop(0))
        except ConnectionClosed:
            pass

    return handle


async def _talk(name: str) -> None:
    async with open_websocket("server", PORT, f"/{name}", use_ssl=False) as socket:
        for message in MESSAGES:
            mine: str | bytes = message if isinstance(message, bytes) else f"{name} {message}"
            await socket.send_message(mine)
            answer = await socket.get_message()
            if answer != mine:
                raise AssertionError(f"{name} sent {mine!r} and got {answer!r}")
        await _ping(socket)


async def _ping(socket: WebSocketConnection) -> None:
    await socket.ping(b"are you there")


async def _program(handler: Handler) -> None:
    current_network().plan = PLAN
    server = Node("server")
    async with trio.open_nursery() as nursery:
        with server.here():
            serve = partial(serve_websocket, handler, "server", PORT, ssl_context=None)
            await nursery.start(serve)
        async with trio.open_nursery() as talking:
            for number in range(2):
                node = Node(f"client{number}")
                talking.start_soon(node.run, _talk, node.name)
        nursery.cancel_scope.cancel()


async def echo_program() -> None:
    """Let two clients on machines of their own talk to an echo server at the same time."""
    await _program(echo)


async def forgetful_program() -> None:
    """Let two clients talk to a server whose handler has a bug."""
    await _program(forgetful())


def websocket_check(schedules: int = 1000, *, seed: int = 0) -> WebSocketCounts:
    """Run the echo program under ``schedules`` random schedules.

    Raises:
        AssertionError: one of them failed; the text carries its tape.
    """
    steps = cuts = stalls = 0
    tapes: set[str] = set()

    def count(run: Run) -> bool:
        nonlocal steps, cuts, stalls
        steps += run.steps
        tapes.add(run.digest)
        cuts += sum(value != 0 for value in run.tape.values("latency"))
        faults = run.tape.streams.get("faults")
        labels = faults.labels if faults is not None and faults.labels is not None else ()
        stalls += sum(label.endswith("stall seconds") for label in labels)
        return run.error is not None

    result = hunt(echo_program, RandomWalk(seed), schedules, is_failure=count)
    if result.found is not None:
        raise AssertionError(
            f"schedule {result.schedules}: {result.found.error!r}, {result.found.tape.to_text()}"
        ) from result.found.error
    return WebSocketCounts(schedules, steps, cuts, stalls, len(tapes))


def find_seeded_bug(schedules: int = 1000, *, seed: int = 0) -> tuple[int, ShrinkResult]:
    """Find, shrink and replay the race in `forgetful`.

    Returns:
        How many schedules it took to find it, and the smallest failing run.

    Raises:
        AssertionError: it was not found.
    """
    result = hunt(forgetful_program, RandomWalk(seed), schedules)
    if result.found is None:
        raise AssertionError(f"no schedule of {schedules} found the seeded bug")
    small = shrink(forgetful_program, result.found)
    replay(forgetful_program, small.run.tape)
    return result.schedules, small


def check(schedules: int = 1000) -> Verdict:
    """Show both: no failure of the library, and the seeded bug found, shrunk and replayed."""
    counts = websocket_check(schedules)
    found_after, small = find_seeded_bug(schedules)
    table = (
        f"{counts.steps} steps, {counts.cut_reads} reads cut, {counts.stalls} messages stalled",
        f"seeded bug: {small.before} deviations shrunk to {small.after} in {small.executions} runs",
        f"replays from {small.run.tape.to_text()}",
    )
    problems: list[str] = []
    if counts.tapes < schedules:
        problems.append(f"only {counts.tapes} of {schedules} schedules differ")
    if min(counts.cut_reads, counts.stalls) < schedules:
        problems.append(f"too little happened: {table[0]}")
    return Verdict(
        f"{schedules} schedules of trio-websocket without a failure; seeded bug found by "
        f"schedule {found_after}, shrunk to {small.after} deviation{'s' * (small.after != 1)}",
        tuple(problems),
        table,
    )
