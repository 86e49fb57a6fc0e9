"""Events of a hypervisor, followed across the restarts of its keeper.

The journal outlives the keeper that writes it, so an observer who goes on behind the last event it
has dealt with gets each event once, whoever has died in between. Where that cannot be, because too
much has happened or the journal is a new one, it is told so and gets a fresh snapshot.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, TypeAlias

import attrs
import trio

from pyvirt_trio.errors import MonitorClosedError
from pyvirt_trio.remote.client import RemoteHypervisor

RECONNECT_PAUSE_S = 0.2
"""How often it is looked whether a keeper is there again; one starts in about half a second."""

Connect: TypeAlias = Callable[[], AbstractAsyncContextManager[RemoteHypervisor]]
"""A connection to the keeper there is; `MonitorClosedError` when there is none."""


@attrs.frozen
class Told:
    """One value out of `RemoteHypervisor.events`, and where it leaves its observer.

    Args:
        value: A snapshot, an event or a gap.
        cursor: The place behind it, ``None`` before the first snapshot.
    """

    value: dict[str, Any]
    cursor: str | None


async def follow_events(
    connect: Connect,
    *,
    domains: Iterable[str] | None = None,
    events: Iterable[str] | None = None,
    after: str | None = None,
) -> AsyncGenerator[Told]:
    """As `RemoteHypervisor.events`, and goes on when a keeper has gone and another one come.

    Args:
        connect: Makes a connection. It may start a keeper the first time; a keeper that somebody
            has ended is waited for.
        domains: Only events of these, by name or UUID.
        events: Only these, by virsh's names or those of their classes.
        after: A cursor: no snapshot, but the events behind it.

    Raises:
        DefinitionError: There is no such event, or ``after`` is no cursor.
    """
    names = {"domains": domains and list(domains), "events": events and list(events)}
    cursor = after
    while True:
        try:
            async with (
                connect() as hypervisor,
                aclosing(hypervisor.events(**names, after=cursor)) as found,
            ):
                async for value in found:
                    if "cursor" in value:
                        cursor = value["cursor"]
                    elif "sequence" in value:
                        cursor = hypervisor.cursor_after(value)
                    yield Told(value, cursor)
        except MonitorClosedError:
            await trio.sleep(RECONNECT_PAUSE_S)
