"""A domain's calls about its async job, and what such a job leaves behind."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

from pyvirt_trio.driver.domain_core import DomainCore
from pyvirt_trio.errors import DefinitionError, ErrorCode
from pyvirt_trio.models.events import JobCompleted
from pyvirt_trio.models.jobs import JobInfo

if TYPE_CHECKING:
    from pyvirt_trio.driver.jobs import AsyncHold
    from pyvirt_trio.driver.journal import Commit
    from pyvirt_trio.driver.life import Life

NO_JOB = JobInfo()


class JobCalls(DomainCore):
    """See `Domain`."""

    async def job_info(self, *, completed: bool = False, keep_completed: bool = False) -> JobInfo:
        """How far the async job of the domain is (``virDomainGetJobStats``).

        Args:
            completed: Not the one under way, but the latest that has reached its end. It is told
                once, and then forgotten. Failed and aborted jobs leave none, and nor do cores.
            keep_completed: Do not forget it.

        Returns:
            Numbers of a save and of a dump are QEMU's own (``query-migrate``, ``query-dump``). Of
            type ``NONE`` when there is no job.

        Raises:
            InvalidStateError: The domain does not run, and ``completed`` was not asked for.
            DefinitionError: ``keep_completed`` without ``completed``.
            MonitorError: QEMU did not answer.
        """
        if completed:
            found = self.completed_job
            self.completed_job = self.completed_job if keep_completed else None
            await trio.lowlevel.checkpoint()
            return found or NO_JOB
        if keep_completed:
            message = "keep_completed is of no use without completed"
            raise DefinitionError(message, code=ErrorCode.INVALID_ARG)
        hold = self.job.active_async
        if hold is None:
            self.running_life()
            await trio.lowlevel.checkpoint()
            return NO_JOB
        return await hold.info()

    async def abort_job(self) -> None:
        """The async job of the domain has been asked to end early (``virDomainAbortJob``).

        It ends a little later: its call undoes what it has begun, and raises.

        Raises:
            InvalidStateError: The domain does not run; or it has no such job; or it is one that
                cannot be aborted: a start, or a dump of the memory alone.
        """
        if self.job.active_async is None:
            self.running_life()
        self.job.abort()
        await trio.lowlevel.checkpoint()


@asynccontextmanager
async def under_way(life: Life, job: AsyncHold) -> AsyncGenerator[None]:
    """For the length of a block a new manager would find that ``job`` was under way."""
    life.note(async_job=job.kind)
    try:
        yield
    finally:
        if not life.is_ending:  # a life that is left goes on with it under a new manager
            life.note(async_job=None)


def tell_completion(life: Life, job: AsyncHold, commit: Commit) -> None:
    """The job has reached its end: keep what it came to, and announce it in ``commit``."""
    assert job.result is not None, "it is complete"
    life.domain.completed_job = job.result
    commit.announce(
        JobCompleted(
            **life.stamp,
            operation=job.operation.name.lower(),
            is_success=True,
            statistics=job.result.numbers,
        )
    )
