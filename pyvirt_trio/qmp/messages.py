"""What can be read from a QMP monitor, as values.

One class per kind of message of QEMU's ``docs/interop/qmp-spec``. They hold plain JSON values:
``dict``, ``list``, ``str``, ``int``, ``float``, ``bool`` and ``None``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import attrs


@attrs.frozen
class Greeting:
    """The first thing QEMU says: which version it is and which capabilities it offers.

    Args:
        version: Major, minor and micro number, for example ``(7, 2, 22)``.
        package: The distribution's own version text; may be empty.
        capabilities: Names of what may be enabled, such as ``oob``. Unknown names are kept.
    """

    version: tuple[int, int, int]
    package: str
    capabilities: tuple[str, ...]


@attrs.frozen
class Reply:
    """A command succeeded.

    Args:
        id: The id of the request.
        command: The command that was asked.
        value: What it returned; an empty object where the command returns nothing.
    """

    id: int
    command: str
    value: Any


@attrs.frozen
class ErrorReply:
    """A command failed.

    Args:
        id: The id of the request.
        command: The command that was asked.
        error_class: QEMU's class, for example ``DeviceNotFound``.
        description: QEMU's sentence for people.
    """

    id: int
    command: str
    error_class: str
    description: str


@attrs.frozen
class Event:
    """Something happened in QEMU.

    Args:
        name: QEMU's name, for example ``DEVICE_DELETED``.
        data: What the event carries; empty for events that carry nothing.
        seconds: The host's wall clock when it happened, since 1970; -1 if the host had none.
        microseconds: The part of the second; -1 if the host had no clock.
    """

    name: str
    data: Mapping[str, Any]
    seconds: int
    microseconds: int


Message: TypeAlias = Greeting | Reply | ErrorReply | Event
