"""Copying a disk and moving to the copy, as libvirt's block copy does it, on a QMP session.

A job has one record; events change it, the calls wait for it. What the definition says changes with
the event that ends the job, before the call that waits for it returns.
"""

from __future__ import annotations

import enum
from typing import Any

import attrs
import trio

from pyvirt_sim.checkers.trace import Trace
from pyvirt_trio import CommandFailedError
from pyvirt_trio.qmp.messages import Event
from pyvirt_trio.qmp.session import QmpSession

SOURCE, COPY, JOB = "source", "copy", "copy-vda"


class Phase(enum.Enum):
    """How far a copy has come."""

    NEW = "new"
    READY = "ready"
    PIVOTING = "pivoting"
    PIVOTED = "pivoted"
    ABANDONED = "abandoned"
    FAILED = "failed"


@attrs.define(eq=False)
class Mirror:
    """One disk and its copy.

    Args:
        trace: What is done is written there.

    Attributes:
        image: What the definition names.
        phase: Of the job.
    """

    trace: Trace
    image: str = SOURCE
    phase: Phase = Phase.NEW
    error: str = ""
    nursery: trio.Nursery | None = None
    _moved: trio.Event = attrs.field(factory=trio.Event)
    _session: QmpSession | None = None

    def use(self, session: QmpSession, nursery: trio.Nursery) -> None:
        """Send commands there."""
        self._session, self.nursery = session, nursery

    async def command(self, name: str, **arguments: Any) -> None:
        """One command."""
        assert self._session is not None, "use a session first"
        await self._session.execute(name, {k.replace("_", "-"): v for k, v in arguments.items()})

    async def start(self) -> None:
        """Begin to copy; the record is there before anything can be told about the job."""
        self.listen()
        await self.command("blockdev-mirror", job_id=JOB, device=SOURCE, target=COPY, sync="full")

    def listen(self) -> None:
        """From here on events about the job count."""
        self.phase = Phase.NEW
        self.error = ""
        self.trace.did("manager", "listens", JOB)

    async def wait_ready(self) -> None:
        """Return when the copy is complete, or the job has failed."""
        while self.phase is Phase.NEW:
            await self._moved.wait()

    async def pivot(self) -> str:
        """Move to the copy. Returns what became of it, when the job has ended."""
        self.phase = Phase.PIVOTING
        try:
            await self.command("block-job-complete", device=JOB)
        except CommandFailedError:
            return self.not_completed()
        await self.wait_ended()
        return self.phase.value

    def not_completed(self) -> str:
        """QEMU did not take the order: the job is as it was, unless an event says otherwise."""
        if self.phase is Phase.PIVOTING:
            self.phase = Phase.READY
        return self.phase.value

    async def wait_ended(self) -> None:
        """Return when an event has ended the job."""
        while self.phase in (Phase.NEW, Phase.READY, Phase.PIVOTING):
            await self._moved.wait()

    def on_event(self, event: Event) -> None:
        """What QEMU tells, in its order."""
        if event.data.get("device") != JOB:
            return
        if event.name == "BLOCK_JOB_READY":
            self.on_ready()
        elif event.name == "BLOCK_JOB_COMPLETED":
            self.on_completed(event)
        elif event.name == "BLOCK_JOB_CANCELLED":
            self.move(Phase.ABANDONED)

    def on_ready(self) -> None:
        """It counts once: a mirror that is about to end may become ready again."""
        if self.phase is Phase.NEW:
            self.move(Phase.READY)

    def on_completed(self, event: Event) -> None:
        """The end: of a pivot, of a failure, or of a copy that nobody moves to."""
        if "error" in event.data:
            self.error = str(event.data["error"])
            self.move(Phase.FAILED)
        elif self.phase is Phase.PIVOTING:
            self.conclude_pivot()
        else:
            self.move(Phase.ABANDONED)

    def conclude_pivot(self) -> None:
        """The definition names the copy, and then whoever waits is told."""
        self.image = COPY
        self.move(Phase.PIVOTED)

    def move(self, phase: Phase) -> None:
        """The job is in another phase."""
        self.phase = phase
        self._moved.set()
        self._moved = trio.Event()
