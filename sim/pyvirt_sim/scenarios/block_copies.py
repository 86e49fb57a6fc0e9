"""A manager copies a disk and moves to the copy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import trio

from pyvirt_sim.checkers import AckImpliesEffect, Checker, NoWaiterLeft
from pyvirt_sim.checkers.trace import Entry
from pyvirt_sim.clients.mirror import COPY, JOB, SOURCE, Mirror, Phase
from pyvirt_sim.clients.truth import client_agrees, compare
from pyvirt_sim.scenarios.monitor_stage import MonitorStage, open_monitor_stage
from pyvirt_sim.scenarios.scenario import Scenario
from pyvirt_trio import CommandFailedError
from pyvirt_trio.qmp.session import QmpSession, open_session

PIVOT_IS_DONE = "pivot-is-done"
PIVOT_PROMISE = "When a pivot has returned with success the definition names the copy."
PATIENCE_S = 30.0
BYTES = 1 << 20


def _expected(ack: Entry, question: str) -> object:
    is_pivot = ack.name == "pivot" and ack.get("outcome") == "ok"
    return {"image": COPY, "job": "over"}.get(question) if is_pivot else None


def _checkers() -> tuple[Checker, ...]:
    return (
        AckImpliesEffect(PIVOT_IS_DONE, PIVOT_PROMISE, _expected),
        client_agrees(),
        NoWaiterLeft(),
    )


async def _open(stage: MonitorStage, session: QmpSession, mirror: Mirror, sizes: list[int]) -> None:
    mirror.use(session, stage.nursery)
    for name, size in zip((SOURCE, COPY), sizes, strict=True):
        arguments = {"driver": "null-co", "node-name": name, "size": size}
        await session.execute("blockdev-add", arguments)


async def _copies(stage: MonitorStage, mirror: Mirror, *, blips: bool) -> None:
    with stage.trace.call("owner", "copy"):
        await mirror.start()
        await mirror.wait_ready()
    if mirror.phase is not Phase.READY:
        compare(stage.trace, "manager", JOB, mirror.image, SOURCE)
        return
    if blips:
        stage.nursery.start_soon(_blips, stage, name="load")
    with stage.trace.call("owner", "pivot"):
        outcome = await mirror.pivot()
    is_over = JOB not in [job["id"] for job in stage.process.qemu.machine.tree.jobs.listing()]
    at = stage.trace.entries[-1]
    stage.trace.seen("owner", "image", JOB, mirror.image, at=at)
    stage.trace.seen("owner", "job", JOB, "over" if is_over else "running", at=at)
    await trio.sleep(1)
    compare(stage.trace, "manager", JOB, outcome, Phase.PIVOTED.value)


async def _blips(stage: MonitorStage) -> None:
    """Under load a mirror drops out of ready and becomes ready again."""
    facts = {"type": "mirror", "device": JOB, "len": BYTES, "offset": BYTES, "speed": 0}
    jobs = stage.process.qemu.machine.tree.jobs
    for _ in range(8):
        await trio.lowlevel.checkpoint()
    if any(job["id"] == JOB for job in jobs.listing()):
        stage.process.qemu.events.emit("BLOCK_JOB_READY", facts)


async def _play(sizes: list[int], blips: bool, stage: MonitorStage) -> None:
    mirror = Mirror(stage.trace)
    async with open_session(await stage.connect(), on_event=mirror.on_event) as session:
        await _open(stage, session, mirror, sizes)
        await _copies(stage, mirror, blips=blips)


async def _refused(stage: MonitorStage) -> None:
    """QEMU refuses to complete a job that waits for its finalization; the job is still there."""
    mirror = _RefusedOnce(stage.trace)
    async with open_session(await stage.connect(), on_event=mirror.on_event) as session:
        await _open(stage, session, mirror, [BYTES, BYTES])
        await mirror.start()
        await mirror.wait_ready()
        await mirror.pivot()
        compare(stage.trace, "manager", JOB, mirror.phase.value, Phase.READY.value)
        with stage.trace.call("owner", "pivot"):
            outcome = await mirror.pivot()
        compare(stage.trace, "manager", JOB, outcome, Phase.PIVOTED.value)


class _RefusedOnce(Mirror):
    """A manager whose first order to complete comes when the mirror has just dropped out."""

    refusals = 1

    async def command(self, name: str, **arguments: Any) -> None:
        if name == "block-job-complete" and self.refusals:
            self.refusals -= 1
            await trio.lowlevel.checkpoint()
            raise CommandFailedError(name, "GenericError", "The mirror is not ready")
        await super().command(name, **arguments)


def _scenario(
    name: str, summary: str, story: Callable[[MonitorStage], Awaitable[None]]
) -> Scenario:
    async def program() -> None:
        async with open_monitor_stage(_checkers()) as stage:
            await story(stage)

    return Scenario(name, summary, PIVOT_PROMISE, program)


COPIES = _scenario(
    "block-copy", "A disk is copied, and its copy used.", partial(_play, [BYTES, BYTES], False)
)
BLIPS = _scenario(
    "block-copy-blips", "The mirror becomes ready again.", partial(_play, [BYTES, BYTES], True)
)
EMPTY = _scenario("block-copy-empty", "The disk has no bytes.", partial(_play, [0, 0], False))
FAILS = _scenario(
    "block-copy-fails", "The copy has another size.", partial(_play, [BYTES, BYTES // 2], False)
)
REFUSED = _scenario("block-copy-refused", "QEMU takes the order the second time.", _refused)
SCENARIOS = (COPIES, BLIPS, EMPTY, FAILS, REFUSED)
