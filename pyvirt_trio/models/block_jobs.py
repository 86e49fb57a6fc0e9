"""Jobs on the disks of a running domain."""

from __future__ import annotations

import attrs

from pyvirt_trio.models.event_details import BlockJobStatus, BlockJobType
from pyvirt_trio.models.value import Value


@attrs.frozen(kw_only=True, eq=False, repr=False)
class BlockJob(Value):
    """A job on a disk, as a manager keeps it in mind.

    Args:
        name: What QEMU calls it.
        alias: The disk's alias.
        type: What is done.
        outcome: How it has ended, once that is known and before it has been announced.
    """

    name: str
    alias: str
    type: BlockJobType
    outcome: BlockJobStatus | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class BlockJobInfo(Value):
    """How far a job on a disk is (libvirt's ``virDomainBlockJobInfo``).

    Args:
        type: What is done.
        done: Of ``total``, in a unit that only the ratio of the two makes sense of.
        total: Both are equal when there is nothing left to do.
        bytes_per_s: At most so much at a time; 0 is no limit.
    """

    type: BlockJobType
    done: int
    total: int
    bytes_per_s: int
