"""Jobs: what may be done to one domain at the same time, as libvirt has it.

A domain does one *normal* job at a time. A long call (save, dump, a migration) is an *async* job
beside it: while it lasts, it lets those normal jobs in that its row of `ADMITTED` names, and takes
the normal job itself for each command that it sends. Talking to the guest agent is a third job,
beside both, so that an agent that hangs holds up nothing else.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Set

import attrs

from pyvirt_trio.models.value import Value


class JobKind(enum.Enum):
    """What a normal job does (``virDomainJob``); the value is libvirt's word."""

    QUERY = "query"
    """Looks, and changes nothing. It never waits here: what is known of a domain is a value that is
    replaced as a whole, and QEMU answers questions one by one. (libvirt's waits like any other.)"""
    DESTROY = "destroy"
    SUSPEND = "suspend"
    MODIFY = "modify"
    ABORT = "abort"
    MIGRATION_OP = "migration operation"
    MODIFY_MIGRATION_SAFE = "modify (migration safe)"


class AsyncJob(enum.Enum):
    """A call that lasts (``virDomainAsyncJob``); the value is libvirt's word."""

    START = "start"
    SAVE = "save"
    DUMP = "dump"
    SNAPSHOT = "snapshot"
    BACKUP = "backup"
    MIGRATION_OUT = "migration out"
    MIGRATION_IN = "migration in"


class JobOperation(enum.IntEnum):
    """What an async job is for (``virDomainJobOperation``)."""

    UNKNOWN = 0
    START = 1
    SAVE = 2
    RESTORE = 3
    MIGRATION_IN = 4
    MIGRATION_OUT = 5
    SNAPSHOT = 6
    SNAPSHOT_REVERT = 7
    DUMP = 8
    BACKUP = 9
    SNAPSHOT_DELETE = 10


class JobType(enum.IntEnum):
    """How far an async job is (``virDomainJobType``). No job of a QEMU is ever ``BOUNDED``."""

    NONE = 0
    BOUNDED = 1
    UNBOUNDED = 2
    COMPLETED = 3
    FAILED = 4
    CANCELLED = 5


@attrs.frozen(kw_only=True, eq=False, repr=False)
class JobInfo(Value):
    """What is known of an async job (``virDomainGetJobInfo``, ``virDomainGetJobStats``).

    Args:
        type: How far it is; ``NONE`` when there is none.
        operation: What it is for.
        numbers: Names of libvirt's (``VIR_DOMAIN_JOB_*``) and their values, in libvirt's order:
            times in milliseconds, amounts in bytes. Those that nobody knows are left out.
    """

    type: JobType = JobType.NONE
    operation: JobOperation = JobOperation.UNKNOWN
    numbers: tuple[tuple[str, int], ...] = ()

    def number(self, name: str) -> int:
        """One of the numbers, such as ``memory_remaining``; 0 when it is not known."""
        return dict(self.numbers).get(name, 0)


BY_DEFAULT = frozenset({JobKind.QUERY, JobKind.DESTROY, JobKind.ABORT})
"""``VIR_JOB_DEFAULT_MASK``."""

ADMITTED: Mapping[AsyncJob, Set[JobKind]] = {
    AsyncJob.START: frozenset({JobKind.DESTROY}),
    AsyncJob.SAVE: BY_DEFAULT,
    AsyncJob.DUMP: BY_DEFAULT,
    AsyncJob.SNAPSHOT: BY_DEFAULT,
    AsyncJob.BACKUP: BY_DEFAULT | {JobKind.SUSPEND, JobKind.MODIFY},
    AsyncJob.MIGRATION_OUT: BY_DEFAULT
    | {JobKind.SUSPEND, JobKind.MIGRATION_OP, JobKind.MODIFY_MIGRATION_SAFE},
    AsyncJob.MIGRATION_IN: frozenset({JobKind.DESTROY, JobKind.MODIFY_MIGRATION_SAFE}),
}
"""The normal jobs that may be done while an async job is under way. A query is not held up by any
of them; a ``DESTROY`` is in every row and cannot be kept out."""

WHILE_SNAPSHOT_PREPARES = frozenset({JobKind.DESTROY})
WHILE_SNAPSHOT_SAVES_MEMORY = BY_DEFAULT | {JobKind.SUSPEND, JobKind.MIGRATION_OP}
"""What a snapshot admits in its first and in its long phase, in the place of its row."""

OPERATIONS: Mapping[AsyncJob, JobOperation] = {
    AsyncJob.START: JobOperation.START,
    AsyncJob.SAVE: JobOperation.SAVE,
    AsyncJob.DUMP: JobOperation.DUMP,
    AsyncJob.SNAPSHOT: JobOperation.SNAPSHOT,
    AsyncJob.BACKUP: JobOperation.BACKUP,
    AsyncJob.MIGRATION_OUT: JobOperation.MIGRATION_OUT,
    AsyncJob.MIGRATION_IN: JobOperation.MIGRATION_IN,
}
"""What an async job is for, when its call says nothing else."""

UNABORTABLE: Mapping[AsyncJob, str] = {
    AsyncJob.START: "cannot abort VM start; use virDomainDestroy instead",
    AsyncJob.MIGRATION_IN: "cannot abort incoming migration; use virDomainDestroy instead",
}
"""Async jobs that nobody can abort, and what libvirt says to who tries."""
