"""One tape gives one digest in a hundred fresh processes with a hundred hash seeds."""

from __future__ import annotations

import sys
from typing import Final

import trio

from pyvirt_sim.engine.choosers.basic import RandomWalk
from pyvirt_sim.engine.run import draw, note, replay, simulate
from pyvirt_sim.engine.selftest.check import Verdict
from pyvirt_sim.engine.selftest.fresh import Fresh, run_fresh
from pyvirt_sim.engine.tape import Tape

__all__ = ["SEED", "check", "lost_reply"]

PROCESSES: Final = 100
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


def child() -> None:
    """Replay the tape of the command line and print what came of it."""
    run = replay(lost_reply, Tape.from_text(sys.argv[1]))
    print(run.digest, run.unwrap())


def check(processes: int = PROCESSES) -> Verdict:
    """Record a run, and replay it in fresh processes."""
    run = simulate(lost_reply, chooser=RandomWalk(SEED), timers="choice")
    expected = f"{run.digest} {run.unwrap()}"
    arguments = ["-c", f"from {__name__} import child; child()", run.tape.to_text()]
    seeds = range(1, processes + 1)
    texts = run_fresh([Fresh(arguments, hash_seed=seed) for seed in seeds])
    wrong = {text.strip() for text in texts} - {expected}
    same = sum(text.strip() == expected for text in texts)
    return Verdict(
        f"{same} of {processes} processes give digest {run.digest[:12]} "
        f"({run.choices} choices, {run.tape.deviations} deviations)",
        tuple(f"another run: {text}" for text in sorted(wrong)),
        (run.tape.to_text(), expected),
    )
