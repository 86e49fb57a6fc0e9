"""Dumps of guests: the memory of a machine in an ELF file, or its whole state as QEMU writes it."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING

import trio

from pyvirt_trio.driver import copying, cores, image_files
from pyvirt_trio.driver.domain_core import DomainCore
from pyvirt_trio.driver.ending import Ending
from pyvirt_trio.driver.job_calls import tell_completion, under_way
from pyvirt_trio.driver.processors import resume_processors, stop_processors
from pyvirt_trio.errors import DefinitionError, ErrorCode, PyvirtError
from pyvirt_trio.models.jobs import AsyncJob
from pyvirt_trio.models.states import DomainState, PausedReason, RunningReason

if TYPE_CHECKING:
    from pyvirt_trio.driver.jobs import AsyncHold
    from pyvirt_trio.driver.life import Life


class DumpingCalls(DomainCore):
    """See `Domain`."""

    async def core_dump(
        self,
        path: str,
        *,
        live: bool = False,
        crash: bool = False,
        reset: bool = False,
        memory_only: bool = True,
    ) -> None:
        """The guest's memory is in a file (``virDomainCoreDump``).

        Args:
            path: Absolute path of the file; what is there is replaced.
            live: Do not pause the domain beforehand; QEMU stops it all the same while it writes
                memory, and when a copy of the whole is complete.
            crash: Let the domain end afterwards, as crashed.
            reset: Reset the machine afterwards.
            memory_only: Write an ELF file (libvirt's ``VIR_DUMP_MEMORY_ONLY``), not the state of
                the whole machine as QEMU migrates it.

        Raises:
            InvalidStateError: The domain does not run, ended meanwhile, or the dump was aborted.
            DefinitionError: The path is not absolute, or both ``crash`` and ``reset`` were given.
            HostError: QEMU could not write it.
            CommandFailedError: QEMU refused to begin.

        Events:
            `DomainSuspended`, then `DomainResumed` if it ran; with ``crash`` `DomainStopped`. In
            between `JobCompleted`, unless it is of the memory only (as libvirt has it).

        Cancellation:
            A domain that ran goes on, and nothing of the file is left. Of memory only: QEMU goes on
            writing, for there is no command that stops it, and a domain that ran stays paused until
            it is resumed.
        """
        if crash and reset:
            raise DefinitionError("crash and reset exclude each other", code=ErrorCode.INVALID_ARG)
        image_files.require_absolute(path)
        async with self.job.hold_async("dump", AsyncJob.DUMP) as job:
            life = self.running_life()
            was_running = self.status.state is DomainState.RUNNING
            is_resumed = was_running and not crash and not (live and memory_only)
            async with under_way(life, job), job.nested():
                if was_running and not live:
                    await stop_processors(life, PausedReason.DUMP)
                    job.stopped_s = trio.current_time()
                try:
                    await (_dump_memory if memory_only else _dump_all)(life, job, path)
                    if reset:
                        await life.execute("system_reset")
                finally:
                    if is_resumed:
                        await _let_go_on(life, is_shielded=not memory_only)
            if crash:
                life.end(Ending.CRASHED, silently=True)
                await life.ended.wait()


async def _let_go_on(life: Life, *, is_shielded: bool) -> None:
    with contextlib.suppress(PyvirtError), trio.CancelScope(shield=is_shielded):
        await resume_processors(life, RunningReason.UNPAUSED)


async def _dump_memory(life: Life, job: AsyncHold, path: str) -> None:
    job.unabortable = "cannot abort memory-only dump"
    job.measure = partial(cores.measure, life)
    await cores.write_core(life, path)
    job.measure = None


async def _dump_all(life: Life, job: AsyncHold, path: str) -> None:
    written = await copying.store(life, job, path)
    with trio.CancelScope(shield=True):
        await image_files.move(life.host, written, path)
    with life.domain.journal.commit() as commit:
        tell_completion(life, job, commit)
