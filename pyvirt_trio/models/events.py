"""What an observer of a hypervisor is told, as past-tense facts.

An event is appended to the journal in the same synchronous step that changes what it tells of, so
whoever receives one can ask any question and gets an answer that already agrees with it.
Names and details follow libvirt's ``virDomainEventID`` and ``virDomainEventType``.
"""

from __future__ import annotations

import enum
import uuid

import attrs


class StoppedDetail(enum.IntEnum):
    """libvirt's ``virDomainEventStoppedDetailType``."""

    SHUTDOWN = 0
    DESTROYED = 1
    CRASHED = 2
    FAILED = 5


class ShutdownDetail(enum.IntEnum):
    """libvirt's ``virDomainEventShutdownDetailType``."""

    FINISHED = 0
    GUEST = 1
    HOST = 2


@attrs.frozen(kw_only=True)
class DomainEvent:
    """What all domain events have in common.

    Args:
        domain: Name of the domain when the event happened.
        uuid: Its identity.
        life: Which start of the domain this belongs to (1, 2, ...); 0 before the first.
    """

    domain: str
    uuid: uuid.UUID
    life: int


@attrs.frozen(kw_only=True)
class DomainDefined(DomainEvent):
    """A persistent definition was added, or replaced when ``is_update``."""

    is_update: bool


@attrs.frozen(kw_only=True)
class DomainUndefined(DomainEvent):
    """The persistent definition is gone."""


@attrs.frozen(kw_only=True)
class DomainStarted(DomainEvent):
    """A QEMU process stands for the domain, and its monitor answers."""


@attrs.frozen(kw_only=True)
class DomainSuspended(DomainEvent):
    """The virtual processors stand still."""


@attrs.frozen(kw_only=True)
class DomainResumed(DomainEvent):
    """The virtual processors run."""


@attrs.frozen(kw_only=True)
class DomainShutdown(DomainEvent):
    """The guest has finished, and QEMU is about to exit."""

    detail: ShutdownDetail


@attrs.frozen(kw_only=True)
class DomainStopped(DomainEvent):
    """The QEMU process is gone, and the host devices of this life are given back."""

    detail: StoppedDetail


@attrs.frozen(kw_only=True)
class DeviceAdded(DomainEvent):
    """A device was plugged in and is in the live definition (libvirt's event 19)."""

    alias: str


@attrs.frozen(kw_only=True)
class DeviceRemoved(DomainEvent):
    """A device has left the running domain, and every trace of it is gone (libvirt's event 15).

    The alias is in no definition, a host device is in no active list, backends are deleted.
    """

    alias: str


@attrs.frozen(kw_only=True)
class DeviceRemovalFailed(DomainEvent):
    """The guest refused to give a device up; it stays (libvirt's event 22)."""

    alias: str


@attrs.frozen
class Record:
    """One entry of the journal: the event and its number.

    Args:
        sequence: 1, 2, 3, ... per hypervisor, without gaps.
        event: What happened.
    """

    sequence: int
    event: DomainEvent
