"""What the guest's agent finds in its guest, and how it says no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

Arguments = Mapping[str, Any]


class AgentError(Exception):
    """The agent answers with an error."""

    def __init__(self, description: str, kind: str = "GenericError") -> None:
        super().__init__(description)
        self.description = description
        self.kind = kind


@attrs.define
class AgentSystem:
    """What the agent finds in its guest; a test may change it.

    Args:
        is_frozen: Whether the file systems stand still.
        file_systems: Where they are mounted.
        mounted: Where a disk is mounted: path -> node, such as ``/dev/vda``.
        clock_offset_ns: How far the guest's clock is ahead of the host's.
        programs: Those that ran, by number, until somebody has asked for their end.
        users: Whom the guest knows.
        logins: Who is logged in, and since when, in seconds since 1970-01-01 UTC.
        passwords: By user, as they were sent.
        keys: Public keys by user, once somebody has written them.
        online: Processors that somebody has switched on or off.
    """

    is_frozen: bool = False
    file_systems: tuple[str, ...] = ("/",)
    mounted: dict[str, str] = attrs.field(factory=dict[str, str])
    clock_offset_ns: int = 0
    programs: dict[int, dict[str, Any]] = attrs.field(factory=dict[int, dict[str, Any]])
    users: tuple[str, ...] = ("root",)
    logins: dict[str, float] = attrs.field(factory=dict[str, float])
    passwords: dict[str, str] = attrs.field(factory=dict[str, str])
    keys: dict[str, list[str]] = attrs.field(factory=dict[str, "list[str]"])
    online: dict[int, bool] = attrs.field(factory=dict[int, bool])
    next_pid: int = 100
