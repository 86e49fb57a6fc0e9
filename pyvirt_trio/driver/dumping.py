"""Cores of guests: the memory of a machine in an ELF file that crash tools read."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pyvirt_trio.driver.cores import write_core
from pyvirt_trio.driver.domain_core import DomainCore
from pyvirt_trio.driver.ending import Ending
from pyvirt_trio.driver.processors import resume_processors, stop_processors
from pyvirt_trio.errors import DefinitionError, ErrorCode, PyvirtError
from pyvirt_trio.models.jobs import AsyncJob
from pyvirt_trio.models.states import DomainState, PausedReason, RunningReason

if TYPE_CHECKING:
    pass


class DumpingCalls(DomainCore):
    """See `Domain`."""

    async def core_dump(
        self, path: str, *, live: bool = False, crash: bool = False, reset: bool = False
    ) -> None:
        """The guest's memory is in a file (``virDomainCoreDump``, always memory only).

        Args:
            path: Absolute path of the ELF file; what is there is replaced.
            live: Do not pause the domain beforehand; QEMU stops it all the same while it writes.
            crash: Let the domain end afterwards, as crashed.
            reset: Reset the machine afterwards.

        Raises:
            InvalidStateError: The domain does not run, or ended meanwhile.
            DefinitionError: The path is not absolute, or both ``crash`` and ``reset`` were given.
            HostError: QEMU could not write it.
            CommandFailedError: QEMU refused to begin.

        Events:
            `DomainSuspended`, then `DomainResumed` if it ran; with ``crash`` `DomainStopped`.

        Cancellation:
            QEMU goes on writing, for there is no command that stops it; a domain that ran stays
            paused until it is resumed.
        """
        if crash and reset:
            raise DefinitionError("crash and reset exclude each other", code=ErrorCode.INVALID_ARG)
        async with self.job.hold_async("dump", AsyncJob.DUMP) as job:
            life = self.running_life()
            was_running = self.status.state is DomainState.RUNNING
            async with job.nested():
                if was_running and not live:
                    await stop_processors(life, PausedReason.DUMP)
                try:
                    await write_core(life, path)
                    if reset:
                        await life.execute("system_reset")
                finally:
                    if was_running and not live and not crash:
                        with contextlib.suppress(PyvirtError):  # it has gone meanwhile
                            await resume_processors(life, RunningReason.UNPAUSED)
            if crash:
                life.end(Ending.CRASHED, silently=True)
                await life.ended.wait()
