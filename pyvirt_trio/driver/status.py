"""What is kept of a domain beyond the end of this process, as JSON values; see `status_log`.

Besides its view that is what libvirt calls private data: what a new manager needs to find the
domain's QEMU and to finish what was under way.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, Any

import attrs

from pyvirt_trio.driver.ending import Ending
from pyvirt_trio.errors import PyvirtError
from pyvirt_trio.models.block_jobs import BlockJob
from pyvirt_trio.models.devices import Device
from pyvirt_trio.models.domain import DomainDefinition
from pyvirt_trio.models.event_details import BlockJobStatus, BlockJobType
from pyvirt_trio.models.states import REASONS, DomainState, DomainStatus
from pyvirt_trio.xml.devices import format_device, parse_device
from pyvirt_trio.xml.domain import format_domain, parse_domain

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyvirt_trio.driver.domain_core import DomainView
    from pyvirt_trio.driver.status_log import Entry


@attrs.frozen
class ProcessMark:
    """What tells a process from every other one of this boot.

    Args:
        pid: Its number, which may be used again.
        started: When it was started, in ticks since the boot, as in ``/proc/PID/stat``.
    """

    pid: int
    started: int


@attrs.frozen(kw_only=True)
class PrivateData:
    """What a new manager must know of a life, and nobody else needs to.

    Args:
        starting: What the machine is being made of, from before its QEMU is started until its
            definition is in the view.
        process: Its QEMU; ``None`` while that is being started.
        is_announced: Whether its start has been announced. A QEMU of which nobody has heard is
            ended by a new manager, as libvirt does.
        ending: How it ends, once that is being brought about.
        plugging: Devices that QEMU may have got already.
        leaving: Aliases of devices that the guest has been asked to give up, or that are being
            taken down.
        is_autodestroyed: Whether it ends with whoever started it.
        reboots: Whether the machine is to be reset when its guest has powered off.
        is_copying: Whether the state of the machine is being written to a file (the job in
            progress that outlives its manager: QEMU goes on writing).
        block_jobs: Jobs on its disks whose end has not been announced.
    """

    starting: DomainDefinition | None = None
    process: ProcessMark | None = None
    is_announced: bool = False
    ending: Ending | None = None
    plugging: tuple[Device, ...] = ()
    leaving: tuple[str, ...] = ()
    is_autodestroyed: bool = False
    reboots: bool = False
    is_copying: bool = False
    block_jobs: tuple[BlockJob, ...] = ()


FORGOTTEN = attrs.asdict(PrivateData(), recurse=False)
"""The changes that leave nothing of it, when a life has ended."""


class Texts:
    """A domain's definitions as text. Most commits change neither: each is made once."""

    def __init__(self) -> None:
        self._live: tuple[DomainDefinition | None, str | None] = (None, None)
        self._persistent: tuple[DomainDefinition | None, str | None] = (None, None)

    def live(self, definition: DomainDefinition | None) -> str | None:
        """The XML of what a running machine is made of."""
        if definition is not self._live[0]:
            text = None if definition is None else format_domain(definition)
            self._live = (definition, text)
        return self._live[1]

    def digest(self, definition: DomainDefinition | None) -> str | None:
        """Tells one persistent definition from another; its text is in a file of its own."""
        if definition is not self._persistent[0]:
            text = None if definition is None else digest(definition)
            self._persistent = (definition, text)
        return self._persistent[1]


def digest(definition: DomainDefinition) -> str:
    """Tells this definition from others."""
    return hashlib.sha256(format_domain(definition).encode()).hexdigest()[:16]


def entry_of(view: DomainView, private: PrivateData, texts: Texts) -> Entry:
    """What is kept of a domain."""
    entry: Entry = {
        "name": view.name,
        "life": view.life,
        "state": int(view.status.state),
        "reason": int(view.status.reason),
    }
    optional: Entry = {
        "id": view.id,
        "live": texts.live(view.live),
        "open_channels": sorted(view.open_channels),
        "defined": texts.digest(view.persistent),
        "starting": private.starting and format_domain(private.starting),
        "process": private.process and [private.process.pid, private.process.started],
        "is_announced": private.is_announced,
        "ending": private.ending and private.ending.name,
        "plugging": [format_device(device) for device in private.plugging],
        "leaving": list(private.leaving),
        "is_autodestroyed": private.is_autodestroyed,
        "reboots": private.reboots,
        "is_copying": private.is_copying,
        "block_jobs": [_job_to_value(job) for job in private.block_jobs],
    }
    return entry | {key: value for key, value in optional.items() if value}


@attrs.frozen(kw_only=True)
class Kept:
    """What an entry says.

    Args:
        name: The domain's name.
        uuid: Its identity.
        status: State and reason.
        life: Number of its latest life.
        id: Its id, while it runs.
        live: What the running machine is made of.
        open_channels: Aliases of the channels that a program in the guest has open.
        defined: Digest of its persistent definition.
        private: The rest.
    """

    name: str
    uuid: uuid.UUID
    status: DomainStatus
    life: int
    id: int | None
    live: DomainDefinition | None
    open_channels: frozenset[str]
    defined: str | None
    private: PrivateData


def read_entry(key: str, entry: Entry, fresh_uuid: Callable[[], uuid.UUID]) -> Kept:
    """What `entry_of` has written for the domain with the UUID ``key``.

    Raises:
        ValueError: It is damaged.
    """
    try:
        state = DomainState(entry["state"])
        process = entry.get("process")
        ending = entry.get("ending")
        private = PrivateData(
            starting=_definition(entry.get("starting"), fresh_uuid),
            process=None if process is None else ProcessMark(*map(int, process)),
            is_announced=bool(entry.get("is_announced")),
            ending=None if ending is None else Ending[ending],
            plugging=tuple(
                parse_device(one, keep_aliases=True) for one in entry.get("plugging") or ()
            ),
            leaving=tuple(map(str, entry.get("leaving") or ())),
            is_autodestroyed=bool(entry.get("is_autodestroyed")),
            reboots=bool(entry.get("reboots")),
            is_copying=bool(entry.get("is_copying")),
            block_jobs=tuple(map(_job_from_value, entry.get("block_jobs") or ())),
        )
        return Kept(
            name=str(entry["name"]),
            uuid=uuid.UUID(key),
            status=DomainStatus(state, REASONS[state](entry["reason"])),
            life=int(entry["life"]),
            id=entry.get("id"),
            live=_definition(entry.get("live"), fresh_uuid),
            open_channels=frozenset(map(str, entry.get("open_channels") or ())),
            defined=entry.get("defined"),
            private=private,
        )
    except (PyvirtError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"the status of domain {key} is damaged: {error}") from error


def _definition(text: Any, fresh_uuid: Callable[[], uuid.UUID]) -> DomainDefinition | None:
    return text and parse_domain(text, fresh_uuid=fresh_uuid, keep_aliases=True)


def _job_to_value(job: BlockJob) -> list[Any]:
    outcome = None if job.outcome is None else job.outcome.name
    return [job.name, job.alias, job.type.name, outcome]


def _job_from_value(value: list[Any]) -> BlockJob:
    name, alias, kind, outcome = value
    return BlockJob(
        name=str(name),
        alias=str(alias),
        type=BlockJobType[kind],
        outcome=None if outcome is None else BlockJobStatus[outcome],
    )
