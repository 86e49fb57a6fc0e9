"""Changes to one domain happen one after another; questions never wait.

libvirt calls the right to change a domain its *job* (``virDomainObjBeginJob``) and lets a caller
wait 30 seconds for it. Here the caller's own cancel scope decides how long to wait, and `JobLock`
tells who holds the job and since when.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import attrs
import trio


@attrs.frozen
class Job:
    """What is being done to a domain right now.

    Args:
        name: The call, such as ``attach-device``.
        started_s: Trio's clock when the job was taken.
    """

    name: str
    started_s: float


class JobLock:
    """The job of one domain. Waiters get it in the order in which they asked."""

    def __init__(self) -> None:
        self._lock = trio.Lock()
        self._active: Job | None = None

    @property
    def active(self) -> Job | None:
        """The job under way, or ``None``."""
        return self._active

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncGenerator[None]:
        """Take the job, waiting for whoever holds it, and give it back on exit.

        Cancellation:
            While waiting: the job was never taken.
        """
        async with self._lock:
            self._active = Job(name, trio.current_time())
            try:
                yield
            finally:
                self._active = None
