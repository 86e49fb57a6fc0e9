"""What is kept of a domain beyond the end of this process, as JSON values; see `status_log`.

Besides its view that is what libvirt calls private data: what a new manager needs to find the
domain's QEMU and to finish what was under way.
"""

from __future__ import annotations

import operator
import uuid
from typing import TYPE_CHECKING, Any

import attrs

from pyvirt_trio.driver.ending import Ending
from pyvirt_trio.errors import PyvirtError
from pyvirt_trio.models.block_jobs import BlockJob
from pyvirt_trio.models.devices import Device
from pyvirt_trio.models.domain import DomainDefinition
from pyvirt_trio.models.event_details import BlockJobStatus, BlockJobType
from pyvirt_trio.models.jobs import AsyncJob
from pyvirt_trio.models.metadata import MetadataElement
from pyvirt_trio.models.states import REASONS, DomainState, DomainStatus
from pyvirt_trio.models.value import Value
from pyvirt_trio.xml.devices import format_device, parse_device, parse_devices
from pyvirt_trio.xml.domain import format_domain, parse_domain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pyvirt_trio.driver.domain_core import DomainView
    from pyvirt_trio.driver.status_log import Entry


@attrs.frozen(eq=False, repr=False)
class ProcessMark(Value):
    """What tells a process from every other one of this boot.

    Args:
        pid: Its number, which may be used again.
        started: When it was started, in ticks since the boot, as in ``/proc/PID/stat``.
    """

    pid: int
    started: int


@attrs.frozen(kw_only=True, eq=False, repr=False)
class PrivateData(Value):
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
        block_jobs: Jobs on its disks whose end has not been announced.
        has_lost_vcpu: Whether a processor was unplugged; see `vcpu_plugging`.
        async_job: The job under way that outlives its manager: a save or a dump, which QEMU goes on
            writing.
    """

    starting: DomainDefinition | None = None
    process: ProcessMark | None = None
    is_announced: bool = False
    ending: Ending | None = None
    plugging: tuple[Device, ...] = ()
    leaving: tuple[str, ...] = ()
    is_autodestroyed: bool = False
    reboots: bool = False
    block_jobs: tuple[BlockJob, ...] = ()
    has_lost_vcpu: bool = False
    async_job: AsyncJob | None = None


FORGOTTEN = attrs.asdict(PrivateData(), recurse=False)
"""The changes that leave nothing of it, when a life has ended."""


class Written:
    """What was written down of a domain last, and so what has changed since.

    Most commits change one attribute of many, and a definition is long: only what is another
    object than last time is made JSON of.

    Args:
        view: The view that is written down already, when it is; not its persistent definition.
        private: As for ``view``.
    """

    def __init__(self, view: DomainView | None = None, private: PrivateData | None = None) -> None:
        self._view = view
        self._private = private
        self._persistent: object = self  # no definition, so that it is written the first time
        self._devices: dict[str | None, tuple[Device, str]] = {}

    def changes(self, view: DomainView, private: PrivateData, digest: str | None) -> Entry:
        """The keys that may have another value, ``None`` for what a domain without life has.

        Args:
            view: Of the domain.
            private: Of the domain.
            digest: Tells the file with its persistent definition from others.
        """
        found: Entry = {}
        if view is not self._view:
            _add_changed(found, _VIEW_KEYS, self._view, view)
            if self._view is None or view.live is not self._view.live:
                before = None if self._view is None else self._view.live
                self._add_changed_machine(found, before, view.live)
            self._view = view
        if private is not self._private:
            _add_changed(found, _PRIVATE_KEYS, self._private, private)
            self._private = private
        if view.persistent is not self._persistent:
            found["persistent"] = None if view.persistent is None else digest
            self._persistent = view.persistent
        return found

    def _add_changed_machine(
        self, found: Entry, before: DomainDefinition | None, now: DomainDefinition | None
    ) -> None:
        """A machine, its devices, and people's notes about it: each changes without the rest."""
        if now is None:
            found |= {"machine": None, "devices": None, "notes": None}
            return
        if before is None or not _is_same(_machine_of(before), _machine_of(now)):
            found["machine"] = format_domain(attrs.evolve(now, **_NO_DEVICES, **_NO_NOTES))
        if before is None or before.devices is not now.devices:
            found["devices"] = self._texts(now.devices)
        if before is None or not _is_same(_notes_of(before), _notes_of(now)):
            title, description, metadata = _notes_of(now)
            found["notes"] = [title, description, [[one.uri, one.xml] for one in metadata]]

    def _texts(self, devices: tuple[Device, ...]) -> list[str]:
        """The XML of each device. One comes or goes at a time: the others' is there already."""
        known = [self._devices.get(device.alias, (None, "")) for device in devices]
        texts = [
            text if other is device else format_device(device)
            for device, (other, text) in zip(devices, known, strict=True)
        ]
        self._devices = {one.alias: (one, text) for one, text in zip(devices, texts, strict=True)}
        return texts


def _add_changed(found: Entry, keys: Mapping[str, _Key], before: object, now: object) -> None:
    for name, key in keys.items():
        value = getattr(now, name)
        if before is None or value is not getattr(before, name):
            found[name] = key.to_json(value) if value else None


def _is_same(before: tuple[Any, ...], now: tuple[Any, ...]) -> bool:
    return all(map(operator.is_, before, now))


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Kept(Value):
    """What an entry says.

    Args:
        name: The domain's name.
        uuid: Its identity.
        status: State and reason.
        life: Number of its latest life; 0 before the first.
        id: Its id, while it runs.
        live: What the running machine is made of.
        open_channels: Aliases of the channels that a program in the guest has open.
        open_trays: Aliases of the drives whose tray is open.
        defined: Digest of the file with its persistent definition.
        private: The rest.
    """

    name: str
    uuid: uuid.UUID
    status: DomainStatus
    life: int = 0
    id: int | None = None
    live: DomainDefinition | None = None
    open_channels: frozenset[str] = frozenset()
    open_trays: frozenset[str] = frozenset()
    defined: str | None = None
    private: PrivateData


def read_entry(key: str, entry: Entry) -> Kept:
    """What `Written` has given of the domain with the UUID ``key``.

    Raises:
        ValueError: It is damaged.
    """
    try:
        private = {
            name: one.from_json(entry[name])
            for name, one in _PRIVATE_KEYS.items()
            if entry.get(name) is not None
        }
        view = {
            name: one.from_json(entry[name])
            for name, one in _VIEW_KEYS.items()
            if entry.get(name) is not None
        }
        return Kept(
            uuid=uuid.UUID(key),
            defined=entry.get("persistent"),
            live=_read_live(entry),
            private=PrivateData(**private),
            **view,
        )
    except (PyvirtError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"the status of domain {key} is damaged: {error}") from error


# -- one key for each attribute -------------------------------------------------------------------


def _read_live(entry: Entry) -> DomainDefinition | None:
    text = entry.get("machine")
    if text is None:
        return None
    title, description, metadata = entry["notes"]
    return attrs.evolve(
        _read_definition(text),
        devices=parse_devices(entry["devices"]),
        title=title,
        description=description,
        metadata=tuple(MetadataElement(str(uri), str(xml)) for uri, xml in metadata),
    )


def _read_definition(text: str) -> DomainDefinition:
    return parse_domain(text, fresh_uuid=_no_uuid, keep_aliases=True)


def _no_uuid() -> uuid.UUID:
    raise ValueError("a definition without a UUID")


def _read_status(value: list[int]) -> DomainStatus:
    state = DomainState(value[0])
    return DomainStatus(state, REASONS[state](value[1]))


def _read_device(text: str) -> Device:
    return parse_device(text, keep_aliases=True)


def _tuple_of(read: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
    return lambda values: tuple(map(read, values))


def _list_of(write: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    return lambda values: list(map(write, values))


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


@attrs.frozen(eq=False, repr=False)
class _Key(Value):
    """How an attribute that says something is kept, and what is made of it again."""

    to_json: Callable[[Any], Any]
    from_json: Callable[[Any], Any]


_VIEW_KEYS = {
    "name": _Key(str, str),
    "status": _Key(lambda status: [int(status.state), int(status.reason)], _read_status),
    "life": _Key(int, int),
    "id": _Key(int, int),
    "open_channels": _Key(sorted, frozenset),
    "open_trays": _Key(sorted, frozenset),
}
"""Attribute of `DomainView` -> how it is kept; the definitions have keys of their own."""

_PRIVATE_KEYS = {
    "starting": _Key(format_domain, _read_definition),
    "process": _Key(lambda mark: [mark.pid, mark.started], lambda mark: ProcessMark(*mark)),
    "is_announced": _Key(bool, bool),
    "ending": _Key(lambda ending: ending.name, Ending.__getitem__),
    "plugging": _Key(_list_of(format_device), _tuple_of(_read_device)),
    "leaving": _Key(list, _tuple_of(str)),
    "is_autodestroyed": _Key(bool, bool),
    "reboots": _Key(bool, bool),
    "async_job": _Key(operator.attrgetter("value"), AsyncJob),
    "block_jobs": _Key(_list_of(_job_to_value), _tuple_of(_job_from_value)),
    "has_lost_vcpu": _Key(bool, bool),
}
"""Attribute of `PrivateData` -> how it is kept."""

_NO_NOTES: dict[str, Any] = {"title": None, "description": None, "metadata": ()}
_NO_DEVICES: dict[str, Any] = {"devices": ()}
_notes_of = operator.attrgetter(*_NO_NOTES)
_machine_of = operator.attrgetter(
    *(one.name for one in attrs.fields(DomainDefinition) if one.name not in _NO_NOTES | _NO_DEVICES)
)
