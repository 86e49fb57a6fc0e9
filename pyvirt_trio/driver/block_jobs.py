"""Jobs that QEMU does on the disks of one life, from their beginning until they are announced.

QEMU keeps a job that has ended until somebody dismisses it, so nothing is lost when the manager
dies: what it has begun is written down before QEMU is asked, how it has ended before QEMU may
forget it, and that it was announced in the commit of the event. Only a job that QEMU has forgotten
is announced: whoever hears of the end can begin the next job on the disk at once, and the disk is
free to go.
"""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import trio

from pyvirt_trio.errors import CommandFailedError, DefinitionError, ErrorCode, PyvirtError
from pyvirt_trio.models.block_jobs import BlockJob, BlockJobInfo
from pyvirt_trio.models.devices import Disk
from pyvirt_trio.models.events import BlockJobChanged, BlockJobStatus, BlockJobType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyvirt_trio.driver.life_core import LifeCore

ENDED = "concluded"
CANCELED = "Operation canceled"
"""The error of a job that somebody has cancelled (``ECANCELED``)."""


class BlockJobs:
    """The jobs of one life; made with the life."""

    def __init__(self, life: LifeCore) -> None:
        self._life = life
        self._ends: dict[str, trio.Event] = {}
        self._concluding: set[str] = set()

    @property
    def _kept(self) -> tuple[BlockJob, ...]:
        return self._life.domain.private.block_jobs

    def of_disk(self, disk: Disk) -> BlockJob | None:
        """The job on ``disk``, until its end is announced."""
        return next((job for job in self._kept if job.alias == disk.alias), None)

    @property
    def are_any(self) -> bool:
        """Whether there is a job on any disk."""
        return bool(self._kept)

    def require_idle(self, disk: Disk) -> None:
        """Refuse a disk that has a job.

        Raises:
            DefinitionError: It has one (``OPERATION_UNSUPPORTED``).
        """
        if self.of_disk(disk) is not None:
            raise DefinitionError(
                f"disk '{disk.target}' already in active block job",
                code=ErrorCode.OPERATION_UNSUPPORTED,
            )

    async def pull(self, disk: Disk, *, bytes_per_s: int) -> None:
        """What the disk's image has behind it is being copied into it.

        Raises:
            DefinitionError: The disk has a job.
            CommandFailedError: QEMU refuses.

        Cancellation:
            The job has begun, or QEMU was never asked.
        """
        self.require_idle(disk)
        assert disk.alias is not None, "a disk of a running machine has an alias"
        node = f"{disk.alias}-format"
        job = BlockJob(name=f"pull-{disk.target}-{node}", alias=disk.alias, type=BlockJobType.PULL)
        self._life.note(block_jobs=(*self._kept, job))
        arguments = {
            "job-id": job.name,
            "device": node,
            **({"speed": bytes_per_s} if bytes_per_s else {}),
            "auto-finalize": True,
            "auto-dismiss": False,
        }
        try:
            with trio.CancelScope(shield=True):  # bounded: QEMU only begins
                await self._life.execute("block-stream", arguments)
        except CommandFailedError:
            self._forget(job.name)
            raise

    async def info(self, job: BlockJob) -> BlockJobInfo | None:
        """How far the job is; ``None`` when it has ended meanwhile."""
        for report in await self._life.execute("query-block-jobs"):
            if report["device"] == job.name and self._find(job.name) is not None:
                return BlockJobInfo(
                    type=job.type,
                    done=report["offset"],
                    total=report["len"],
                    bytes_per_s=report["speed"],
                )
        return None

    async def cancel(self, job: BlockJob) -> None:
        """QEMU has been told to give the job up; its end is announced later.

        Raises:
            CommandFailedError: It is over already.
        """
        await self._life.execute("block-job-cancel", {"device": job.name})

    async def set_speed(self, job: BlockJob, bytes_per_s: int) -> None:
        """The job goes on with at most so many bytes a second; 0 is no limit.

        Raises:
            CommandFailedError: It is over already.
        """
        arguments = {"device": job.name, "speed": bytes_per_s}
        await self._life.execute("block-job-set-speed", arguments)

    async def wait_end(self, job: BlockJob) -> None:
        """Block until the job's end is announced, or its life has ended."""
        if self._find(job.name) is not None and not self._life.is_ending:
            # Not its name again: the next job on the disk will have it.
            await self._ends.setdefault(job.name, trio.Event()).wait()

    # -- what QEMU tells ------------------------------------------------------------------------

    def heard(self, data: Mapping[str, Any]) -> None:
        """A job of QEMU, ours or not, is in another state (``JOB_STATUS_CHANGE``)."""
        job = self._find(data["id"])
        if job is not None and data["status"] == ENDED:
            self._conclude_soon(job)

    async def recover(self) -> None:
        """Go on with what a former manager has begun (``qemuProcessRefreshBlockjobs``)."""
        if not self._kept:
            return
        reports = {one["id"]: one for one in await self._life.execute("query-jobs")}
        for job in self._kept:
            report = reports.get(job.name)
            if job.outcome is not None or (report and report["status"] == ENDED):
                self._conclude_soon(job)
            elif report is None:  # QEMU has never heard of it
                self._forget(job.name)

    def life_ended(self) -> None:
        """Nobody waits any more."""
        for name in list(self._ends):
            self._wake(name)

    def _conclude_soon(self, job: BlockJob) -> None:
        if job.name not in self._concluding:
            self._concluding.add(job.name)
            self._life.spawn(partial(self._conclude, job), name=f"end of {job.name}")

    async def _conclude(self, job: BlockJob) -> None:
        try:
            if job.outcome is None:
                job = attrs.evolve(job, outcome=await self._ask_outcome(job.name))
                self._life.note(block_jobs=(*self._others(job.name), job))
            with contextlib.suppress(CommandFailedError):  # a former manager has dismissed it
                await self._life.execute("job-dismiss", {"id": job.name})
        except PyvirtError:  # the life ends, and its jobs with it
            return
        finally:
            self._concluding.discard(job.name)
        self._announce(job)

    async def _ask_outcome(self, name: str) -> BlockJobStatus:
        for report in await self._life.execute("query-jobs"):
            if report["id"] == name and "error" in report:
                is_canceled = report["error"] == CANCELED
                return BlockJobStatus.CANCELED if is_canceled else BlockJobStatus.FAILED
        return BlockJobStatus.COMPLETED

    def _announce(self, job: BlockJob) -> None:
        domain, outcome = self._life.domain, job.outcome
        assert outcome is not None, "it has been asked for"
        disk = self._life.definition.device(job.alias)
        with domain.journal.commit() as commit:
            commit.note(domain, block_jobs=self._others(job.name))
            if isinstance(disk, Disk):
                commit.announce(
                    BlockJobChanged(
                        **self._life.stamp,
                        path=disk.source_file or "",
                        target=disk.target,
                        type=job.type,
                        status=outcome,
                    )
                )
        self._wake(job.name)

    # -- what is kept ----------------------------------------------------------------------------

    def _find(self, name: str) -> BlockJob | None:
        return next((job for job in self._kept if job.name == name), None)

    def _others(self, name: str) -> tuple[BlockJob, ...]:
        return tuple(job for job in self._kept if job.name != name)

    def _forget(self, name: str) -> None:
        self._life.note(block_jobs=self._others(name))
        self._wake(name)

    def _wake(self, name: str) -> None:
        end = self._ends.pop(name, None)
        if end is not None:
            end.set()
