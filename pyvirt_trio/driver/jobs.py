"""The right to change one domain: who has it, who waits for whom, and for how long.

libvirt calls it the domain's *job* (``virDomainObjBeginJob``). There are three at most, each with
one holder: a normal job, an async job, and one that talks to the guest agent; `models.jobs` says
what goes with what. `JobLock` hands each to the first in the queue that may have it.

libvirt's callers give up after 30 seconds, and so do these; a cancel scope makes it shorter. After
the wait the domain may have stopped: every call looks again.
"""

from __future__ import annotations

import enum
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Set
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeAlias

import attrs
import trio

from pyvirt_trio.errors import ErrorCode, InvalidStateError, JobActiveError, PyvirtError
from pyvirt_trio.models.jobs import (
    ADMITTED,
    OPERATIONS,
    UNABORTABLE,
    AsyncJob,
    JobInfo,
    JobKind,
    JobOperation,
    JobType,
)
from pyvirt_trio.models.value import Value

PATIENCE_S = 30.0
"""How long a job is waited for (``VIR_JOB_WAIT_TIME``)."""


Numbers: TypeAlias = tuple[tuple[str, int], ...]
"""libvirt's names of numbers, and their values."""


@attrs.frozen(eq=False, repr=False)
class Job(Value):
    """What is being done to a domain right now.

    Args:
        name: The call, such as ``attach-device``.
        started_s: Trio's clock when the job was taken.
    """

    name: str
    started_s: float


class PromptLock:
    """A lock for ``async with`` that is had at once where it is free: its holder waits enough."""

    def __init__(self) -> None:
        self._lock = trio.Lock()

    async def __aenter__(self) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            self._lock.acquire_nowait()
        except trio.WouldBlock:
            await self._lock.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()


class _Beside(enum.Enum):
    """What can be wanted besides the jobs that have a name in libvirt's tables."""

    NESTED = enum.auto()
    AGENT = enum.auto()


class AsyncHold:
    """An async job in the hands of the call that took it. Made by `JobLock.hold_async`.

    Attributes:
        job: Its name and age.
        kind: Which async job it is.
        operation: What it is for.
        admitted: The normal jobs that may be done meanwhile.
        abort_requested: Set when somebody wants it to end early; the holder looks at it.
        unabortable: Why it cannot be, if it cannot.
        type: How far it is.
        measure: Asks QEMU how far it is, while there is something to ask for.
        stopped_s: Trio's clock when the guest was stopped for it.
        result: What it came to, once it has done what it is for.
    """

    def __init__(self, lock: JobLock, job: Job, kind: AsyncJob) -> None:
        self.job = job
        self.kind = kind
        self.operation = OPERATIONS[kind]
        self.unabortable = UNABORTABLE.get(kind)
        self.type = JobType.UNBOUNDED
        self.measure: Callable[[], Awaitable[Numbers]] | None = None
        self.stopped_s: float | None = None
        self.result: JobInfo | None = None
        self.admitted: Set[JobKind] = ADMITTED[kind]
        self.abort_requested = trio.Event()
        self._lock = lock

    def admit(self, kinds: Set[JobKind]) -> None:
        """From now on let in ``kinds`` (and `JobKind.DESTROY`), as the phases of a snapshot do."""
        self.admitted = kinds | {JobKind.DESTROY}
        self._lock.grant()

    async def complete(self) -> None:
        """It has done what it is for: from now on it is as it is now."""
        try:
            info = await self.info()
        except PyvirtError:  # QEMU ends; what it has done stays done
            self.measure = None
            info = await self.info()
        self.type = JobType.COMPLETED
        self.result = attrs.evolve(info, type=self.type)

    async def info(self) -> JobInfo:
        """How far it is now.

        Raises:
            InvalidStateError, MonitorError: QEMU has gone, or does not answer.
        """
        await trio.lowlevel.checkpoint()
        if self.result is not None:
            return self.result
        measured = () if self.measure is None else await self.measure()
        now_s = trio.current_time()
        numbers = [("time_elapsed", _milliseconds(now_s - self.job.started_s))]
        if self.stopped_s is not None:
            numbers.append(("downtime", _milliseconds(now_s - self.stopped_s)))
        return JobInfo(type=self.type, operation=self.operation, numbers=(*numbers, *measured))

    def nested(self) -> AbstractAsyncContextManager[None]:
        """Take the normal job for a command of this async job (``VIR_JOB_ASYNC_NESTED``).

        Raises:
            JobActiveError: As for `JobLock.hold`.
        """
        return self._lock.slot(Waiter(self.job.name, _Beside.NESTED), PATIENCE_S)


@attrs.frozen(eq=False)
class Waiter:
    """One call that wants a job; the event says that it has it."""

    name: str
    wants: JobKind | AsyncJob | _Beside
    granted: trio.Event = attrs.field(factory=trio.Event)


class JobLock:
    """The jobs of one domain. Of those who may have one, the first who asked gets it.

    Args:
        max_queued: How many calls may have or await a job of this domain (``max_queued`` in
            libvirt's ``qemu.conf``); any number when ``None``. Async jobs and ``DESTROY`` are
            exempt, and so is what must not be left undone.
    """

    def __init__(self, *, max_queued: int | None = None) -> None:
        self.max_queued = max_queued
        self._normal: Job | None = None
        self._agent: Job | None = None
        self._async: AsyncHold | None = None
        self._waiting: dict[Waiter, None] = {}

    @property
    def active(self) -> Job | None:
        """The normal job under way, or ``None``."""
        return self._normal

    @property
    def active_async(self) -> AsyncHold | None:
        """The async job under way, or ``None``."""
        return self._async

    @property
    def active_agent(self) -> Job | None:
        """The job that talks to the guest agent, or ``None``."""
        return self._agent

    @property
    def waiting(self) -> int:
        """How many calls wait for a job."""
        return len(self._waiting)

    def hold(
        self, name: str, kind: JobKind = JobKind.MODIFY, *, patience_s: float = PATIENCE_S
    ) -> AbstractAsyncContextManager[None]:
        """Take the normal job, waiting for whoever is in the way, and give it back on exit.

        A `JobKind.QUERY` takes nothing and waits for nobody.

        Args:
            name: The call, for those who ask who holds the job.
            kind: What it does to the domain.
            patience_s: How long to wait; ``math.inf`` for what must not be left undone.

        Raises:
            JobActiveError: (68) It was not to be had in time, or (9) too many wait already.

        Cancellation:
            While waiting: the job was never taken.
        """
        return _nothing() if kind is JobKind.QUERY else self.slot(Waiter(name, kind), patience_s)

    @asynccontextmanager
    async def hold_async(
        self, name: str, kind: AsyncJob, operation: JobOperation | None = None
    ) -> AsyncGenerator[AsyncHold]:
        """Be the async job of the domain for the length of the block.

        It begins when no other job is under way, and then lets in what its row of `ADMITTED` names.
        Its own commands take the normal job with `AsyncHold.nested`.

        Args:
            name: The call.
            kind: Which async job it is.
            operation: What it is for; ``None`` for what `OPERATIONS` says.

        Raises:
            JobActiveError: (68) Another job did not end in time.

        Cancellation:
            While waiting: it never began.
        """
        async with self.slot(Waiter(name, kind), PATIENCE_S):
            assert self._async is not None, "granted to this call"
            self._async.operation = operation or self._async.operation
            yield self._async

    def hold_agent(self, name: str) -> AbstractAsyncContextManager[None]:
        """Talk to the guest agent, beside whatever else is done to the domain.

        Raises:
            JobActiveError: As for `hold`.

        Cancellation:
            While waiting: the job was never taken.
        """
        return self.slot(Waiter(name, _Beside.AGENT), PATIENCE_S)

    def abort(self) -> None:
        """Ask the async job to end early (``virDomainAbortJob``); its holder undoes what it must.

        Raises:
            InvalidStateError: There is none, or it is one that only destroying the domain ends.
        """
        if self._async is None:
            raise InvalidStateError("no job is active on the domain")
        if self._async.unabortable is not None:
            raise InvalidStateError(self._async.unabortable)
        self._async.abort_requested.set()

    @asynccontextmanager
    async def slot(self, waiter: Waiter, patience_s: float) -> AsyncGenerator[None]:
        """What `hold` and its like have in common; for them alone."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if patience_s < math.inf and self._is_crowded(waiter):
            raise self._refused(waiter, " due to max_queued limit", ErrorCode.OPERATION_FAILED)
        try:
            self._waiting[waiter] = None
            self.grant()
            if not waiter.granted.is_set():  # what is free is had at once: its holder waits enough
                with trio.move_on_after(patience_s):
                    await waiter.granted.wait()
            if not waiter.granted.is_set():
                raise self._refused(waiter, "", ErrorCode.OPERATION_TIMEOUT)
            yield
        finally:  # also when cancelled while it was being granted
            self._waiting.pop(waiter, None)
            if waiter.granted.is_set():
                self._give_back(waiter)

    def grant(self) -> None:
        """Give what is free to those who wait for it, in the order in which they asked."""
        for waiter in list(self._waiting):
            if self._may_have(waiter):
                del self._waiting[waiter]
                self._take(waiter)
                waiter.granted.set()

    # -- inside -----------------------------------------------------------------------------------

    def _may_have(self, waiter: Waiter) -> bool:
        """libvirt's rule (``virDomainObjCanSetJob``)."""
        if waiter.wants is _Beside.AGENT:
            return self._agent is None
        return self._normal is None and self._is_admitted(waiter)

    def _is_admitted(self, waiter: Waiter) -> bool:
        """Whether the async job under way lets this one in (``virDomainNestedJobAllowed``)."""
        if self._async is None or waiter.wants is _Beside.NESTED:
            return True
        return waiter.wants in self._async.admitted

    def _take(self, waiter: Waiter) -> None:
        job = Job(waiter.name, trio.current_time())
        if waiter.wants is _Beside.AGENT:
            self._agent = job
        elif isinstance(waiter.wants, AsyncJob):
            self._async = AsyncHold(self, job, waiter.wants)
        else:
            self._normal = job

    def _give_back(self, waiter: Waiter) -> None:
        if waiter.wants is _Beside.AGENT:
            self._agent = None
        elif isinstance(waiter.wants, AsyncJob):
            self._async = None
        else:
            self._normal = None
        self.grant()

    def _is_crowded(self, waiter: Waiter) -> bool:
        is_exempt = isinstance(waiter.wants, AsyncJob) or waiter.wants is JobKind.DESTROY
        if self.max_queued is None or is_exempt:
            return False
        held = [job for job in (self._normal, self._agent, self._async) if job is not None]
        return len(held) + len(self._waiting) >= self.max_queued

    def _refused(self, waiter: Waiter, why: str, code: ErrorCode) -> JobActiveError:
        """libvirt's sentence, with the age that it leaves out."""
        word, holder = "monitor", self._normal
        if waiter.wants is _Beside.AGENT:
            word, holder = "agent", self._agent
        elif self._async is not None and not self._is_admitted(waiter):
            holder = self._async.job
        if holder is None:  # too many wait, and none holds what this call wants
            return JobActiveError(f"cannot acquire state change lock{why}", code=code)
        age_s = trio.current_time() - holder.started_s
        held = f"held by {word}={holder.name} for {age_s:.0f} s"
        return JobActiveError(
            f"cannot acquire state change lock ({held}){why}",
            holder=holder.name,
            age_s=age_s,
            code=code,
        )


@asynccontextmanager
async def _nothing() -> AsyncGenerator[None]:
    await trio.lowlevel.checkpoint()
    yield


def _milliseconds(time_s: float) -> int:
    return round(time_s * 1000)
