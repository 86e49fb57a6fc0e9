"""Refuse a Trio whose schedules are not the known ones.

The engine stands on Trio's internals. Before its first run it runs one small program that touches
everything it relies on and compares the digest with the one that every supported release gives.
"""

from __future__ import annotations

import hashlib
from typing import Final

import trio

# Not through `trio.testing`, which imports pytest: that would double the time to import this.
from trio._core._generated_run import wait_all_tasks_blocked

from pyvirt_sim.engine import record
from pyvirt_sim.engine.choosers.basic import RandomWalk
from pyvirt_sim.engine.errors import UnsupportedTrioError
from pyvirt_sim.engine.execution import Execution
from pyvirt_sim.engine.point import RunStart

__all__ = ["DIGESTS", "canary_digest", "check_canary"]

# Digest of the canary per policy. The same for every Trio release and Python the selftest tries.
DIGESTS: Final = {
    "any": "e763a2800dec0ea52d6141b8f491675d83713a33ddff66f9f4a3c755e3cc3bdd",
    "batch": "b0ae35897de320d2fde3fde4082ebafe6cd402eb92bf10ebdf623a1b901a8c70",
}
_checked: list[bool] = []


async def _canary() -> list[str]:
    """Touch what the engine relies on: spawning, waking, cancelling, deadlines, generators."""
    log: list[str] = []
    event, lock = trio.Event(), trio.Lock()
    send, receive = trio.open_memory_channel[int](1)

    async def waiter(name: str) -> None:
        await event.wait()
        async with lock:
            await trio.lowlevel.checkpoint()
            log.append(name)

    async def sender() -> None:
        async with send:
            for number in range(3):
                await send.send(number)

    async def ready(task_status: trio.TaskStatus[str]) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(1)
        task_status.started("ready")
        try:
            await trio.sleep_forever()
        finally:
            log.append("ready ended")

    async with trio.open_nursery() as nursery:
        for number in range(4):
            nursery.start_soon(waiter, f"waiter {number}")
        nursery.start_soon(sender)
        log.append(await nursery.start(ready))
        log.extend([f"received {number}" async for number in receive])
        with trio.move_on_after(2):
            await trio.sleep_forever()
        await wait_all_tasks_blocked()
        event.set()
        await trio.sleep(0.5)
        nursery.cancel_scope.cancel()
    return log


def canary_digest(policy: str) -> str:
    """Run the canary under ``policy`` and return the digest of its run."""
    run = Execution(RandomWalk(1658198), RunStart(policy, "idle", 10_000), detail=False).run(
        _canary, ()
    )
    if run.error is not None:
        raise UnsupportedTrioError(
            f"Trio {trio.__version__}: the canary program failed: {run.error!r}"
        ) from run.error
    return hashlib.sha256(f"{run.digest} {run.value}".encode()).hexdigest()


def check_canary() -> None:
    """Check once per process that this Trio behaves as known.

    Raises:
        UnsupportedTrioError: it does not.
    """
    if _checked:
        return
    for policy, expected in DIGESTS.items():
        found = canary_digest(policy)
        if found != expected:
            raise UnsupportedTrioError(
                f"Trio {trio.__version__} runs the canary program differently under policy "
                f"{policy!r} (digest {found[:12]}, known {expected[:12]}); "
                "recordings could not be trusted"
            )
    record.canary_prefix[0] = DIGESTS["any"][:8]
    _checked.append(True)
