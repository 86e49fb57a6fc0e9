"""Runs recorded here, to be replayed elsewhere: in another process, on another Trio or Python."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import trio

from pyvirt_sim.engine.choosers.basic import RandomWalk
from pyvirt_sim.engine.run import draw, note, replay, simulate
from pyvirt_sim.engine.tape import Tape

__all__ = ["PROGRAMS", "lost_reply", "over_tcp", "record", "replay_recordings"]

SEED: Final = 6


async def lost_reply() -> list[str]:
    """A client, a server and a timeout; which requests are answered differs by schedule."""
    log: list[str] = []
    lock = trio.Lock()

    async def serve(requests: trio.MemoryReceiveChannel[tuple[str, trio.Event]]) -> None:
        async for name, answered in requests:
            await trio.sleep(draw("latency", name, 4))
            if draw("faults", f"lose {name}", 3) < 2:
                answered.set()

    async def ask(requests: trio.MemorySendChannel[tuple[str, trio.Event]], name: str) -> None:
        async with requests:
            for attempt in range(3):
                answered = trio.Event()
                await requests.send((f"{name}{attempt}", answered))
                with trio.move_on_after(2):
                    await answered.wait()
                    async with lock:
                        await trio.lowlevel.checkpoint()
                        log.append(f"{name}{attempt} at {trio.current_time():g}")
                        note(name, "answered", seen={"b", "a", name})
                    return

    send, receive = trio.open_memory_channel[tuple[str, trio.Event]](1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, receive)
        for name in ("amy", "bob", "cid"):
            nursery.start_soon(ask, send.clone(), name)
        send.close()
    return log


async def over_tcp() -> list[str]:
    """Three clients of a server over simulated TCP, whose work is done by threads."""
    log: list[str] = []

    async def echo(stream: trio.SocketStream) -> None:
        async for chunk in stream:
            await stream.send_all(await trio.to_thread.run_sync(chunk.upper))

    async def ask(port: int, name: str) -> None:
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(name.encode())
            await stream.send_eof()
            answer = bytearray()
            async for chunk in stream:
                answer += chunk
            log.append(f"{answer.decode()} at {trio.current_time():g}")

    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, echo, 0, host="127.0.0.1")
        listeners: list[trio.SocketListener] = await nursery.start(serve)
        port = listeners[0].socket.getsockname()[1]
        async with trio.open_nursery() as clients:
            for name in ("amy", "bob", "cid"):
                clients.start_soon(ask, port, name)
        nursery.cancel_scope.cancel()
    return log


PROGRAMS: Final[dict[str, Callable[[], Awaitable[list[str]]]]] = {
    "lost reply": lost_reply,
    "over tcp": over_tcp,
}


def record() -> tuple[dict[str, str], dict[str, str]]:
    """Return a tape for each program, and what its run came to: digest and value."""
    tapes: dict[str, str] = {}
    found: dict[str, str] = {}
    for name, program in PROGRAMS.items():
        run = simulate(program, chooser=RandomWalk(SEED), timers="choice")
        tapes[name] = run.tape.to_text()
        found[name] = f"{run.digest} {run.unwrap()}"
    return tapes, found


def replay_recordings(tapes: str) -> dict[str, str]:
    """Replay the tapes, given as JSON, strictly; return what each run came to."""
    found: dict[str, str] = {}
    for name, tape in json.loads(tapes).items():
        run = replay(PROGRAMS[name], Tape.from_text(tape))
        found[name] = f"{run.digest} {run.unwrap()}"
    return found
