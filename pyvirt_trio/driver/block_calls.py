"""A domain's calls about what stands behind its disks: jobs on them, and marks in them."""

from __future__ import annotations

import contextlib
from typing import Final

from pyvirt_trio.driver.domain_core import DomainCore
from pyvirt_trio.driver.life import Life
from pyvirt_trio.errors import CommandFailedError, DefinitionError, ErrorCode, InvalidStateError
from pyvirt_trio.models.block_jobs import BlockJob, BlockJobInfo
from pyvirt_trio.models.devices import Disk
from pyvirt_trio.models.domain import DomainDefinition
from pyvirt_trio.models.jobs import JobKind

MAX_BYTES: Final = (1 << 63) - 1
"""QEMU's numbers of bytes are signed."""

NOT_IN_DOMAIN: Final = "disk '{name}' not found in domain"
NOT_IN_CONFIG: Final = "disk '{name}' was not found in the domain config"


class BlockCalls(DomainCore):
    """See `Domain`. A disk is named by its target, such as ``vda``, or by the path of its image."""

    async def block_pull(self, disk: str, *, bytes_per_s: int = 0) -> None:
        """What a disk's image has behind it is being copied into it (``virDomainBlockPull``).

        Args:
            disk: Its target or path.
            bytes_per_s: At most so much; 0 is no limit.

        Returns:
            When the job has begun; it goes on when this process ends.

        Raises:
            InvalidStateError: The domain does not run.
            DefinitionError: It has no such disk, or that has a job.
            CommandFailedError: QEMU refuses.

        Events:
            Later `BlockJobChanged`, when the job has ended, failed or been aborted. From then on
            the disk can have another.

        Cancellation:
            The job has begun, or it has not.
        """
        _require_bytes(bytes_per_s)
        async with self.job.hold("block-pull"):
            life = self.running_life()
            found = find_disk(life.definition, disk)
            if found.source_file is None:
                raise DefinitionError(
                    f"disk '{found.target}' has no source file to be committed",
                    code=ErrorCode.INVALID_ARG,
                )
            await life.block_jobs.pull(found, bytes_per_s=bytes_per_s)

    async def block_job_info(self, disk: str) -> BlockJobInfo | None:
        """How far the job on a disk is, ``None`` without one (``virDomainGetBlockJobInfo``).

        Raises:
            InvalidStateError: The domain does not run.
            DefinitionError: It has no such disk.
        """
        async with self.job.hold("block-job-info", JobKind.QUERY):
            life = self.running_life()
            job = life.block_jobs.of_disk(find_disk(life.definition, disk))
            return None if job is None else await life.block_jobs.info(job)

    async def block_job_abort(self, disk: str, *, wait: bool = True) -> None:
        """The job on a disk is over (``virDomainBlockJobAbort``).

        Args:
            disk: Its target or path.
            wait: Return when its end has been announced, not when QEMU was told.

        Raises:
            InvalidStateError: The domain does not run.
            DefinitionError: It has no such disk, or that has no job.

        Events:
            `BlockJobChanged`, with ``CANCELED`` unless it has just ended otherwise.

        Cancellation:
            QEMU has been told, or it has not.
        """
        async with self.job.hold("block-job-abort"):
            life = self.running_life()
            job = _job(life, disk)
            with contextlib.suppress(CommandFailedError):  # it was faster, which will do
                await life.block_jobs.cancel(job)
        if wait:
            await life.block_jobs.wait_end(job)

    async def block_job_set_speed(self, disk: str, bytes_per_s: int) -> None:
        """The job on a disk does at most so much (``virDomainBlockJobSetSpeed``).

        Args:
            disk: Its target or path.
            bytes_per_s: 0 is no limit.

        Raises:
            InvalidStateError: The domain does not run.
            DefinitionError: It has no such disk, or that has no job.
            CommandFailedError: The job has just ended.
        """
        _require_bytes(bytes_per_s)
        async with self.job.hold("block-job-set-speed"):
            life = self.running_life()
            await life.block_jobs.set_speed(_job(life, disk), bytes_per_s)

    async def set_block_threshold(self, disk: str, threshold_bytes: int) -> None:
        """It is told once when the guest writes beyond a mark (``virDomainSetBlockThreshold``).

        The mark is one in the image's file, not in what the guest sees of it. A later mark replaces
        it; a new manager need not set it again, a new life must.

        Args:
            disk: Its target, such as ``vda``.
            threshold_bytes: 0 takes the mark away.

        Raises:
            InvalidStateError: The domain does not run, or there is nothing in the drive.
            DefinitionError: It has no such disk.

        Events:
            Later `BlockThresholdExceeded`, once.
        """
        _require_bytes(threshold_bytes)
        async with self.job.hold("set-block-threshold"):
            life = self.running_life()
            found = find_disk(
                life.definition, disk, by_path=False, otherwise="failed to find disk '{name}'"
            )
            if found.source_file is None:
                raise InvalidStateError(
                    f"threshold currently can't be set for block device '{disk}'"
                )
            arguments = {
                "node-name": f"{found.alias}-storage",
                "write-threshold": threshold_bytes,
            }
            await life.execute("block-set-write-threshold", arguments)


def find_disk(
    definition: DomainDefinition,
    name: str,
    *,
    by_path: bool = True,
    otherwise: str = NOT_IN_DOMAIN,
) -> Disk:
    """The disk that somebody means (``virDomainDiskByName``).

    Args:
        definition: Where it is looked for.
        name: Its target, or the path of its image.
        by_path: Whether the path will do, too.
        otherwise: What is said when there is none.

    Raises:
        DefinitionError: There is none.
    """
    for disk in definition.devices:
        if isinstance(disk, Disk) and (
            name == disk.target or (by_path and name == disk.source_file)
        ):
            return disk
    raise DefinitionError(otherwise.format(name=name), code=ErrorCode.INVALID_ARG)


def _job(life: Life, disk: str) -> BlockJob:
    found = find_disk(life.definition, disk)
    job = life.block_jobs.of_disk(found)
    if job is None:
        raise DefinitionError(
            f"disk {found.target} does not have an active block job", code=ErrorCode.INVALID_ARG
        )
    return job


def _require_bytes(count: int) -> None:
    if not 0 <= count <= MAX_BYTES:
        raise DefinitionError(
            f"expected a number of bytes from 0 to {MAX_BYTES}, not {count}",
            code=ErrorCode.INVALID_ARG,
        )
