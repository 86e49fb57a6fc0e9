"""The command that follows a hypervisor's events."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, aclosing
from datetime import UTC, datetime
from typing import Annotated, Any

import trio
from cyclopts import Parameter

from pyvirt_trio.cli.flags import Flag
from pyvirt_trio.cli.session import Hidden, Session
from pyvirt_trio.errors import DefinitionError, ErrorCode
from pyvirt_trio.models.event_filter import EVENT_TYPES, virsh_name
from pyvirt_trio.remote.client import RemoteHypervisor, open_remote
from pyvirt_trio.remote.following import follow_events

NODE_DEVICE_EVENTS = ("lifecycle", "update")
_NOT_DETAILS = ("sequence", "time_s", "kind", "event", "domain", "device", "uuid", "life")


def event(
    *,
    domain: list[str] | None = None,
    events: Annotated[list[str] | None, Parameter(["--event", "--filter"])] = None,
    everything: Annotated[bool, Parameter("--all", negative="")] = False,
    timestamp: Flag = False,
    after: str | None = None,
    loop: Flag = False,
    count: int | None = None,
    timeout: float | None = None,
    names: Annotated[bool, Parameter("--list", negative="")] = False,
    session: Hidden,
) -> None:
    """Print the next event, or with --loop events as they happen, until interrupted.

    When the keeper has gone another one is waited for, and no event is lost or printed twice. The
    last line, on standard error, is the cursor with which --after goes on.

    Args:
        domain: Only events of this domain; may be given several times.
        events: Only this event, such as device-removed or lifecycle; may be given several times.
        everything: All events; the same as no --event.
        timestamp: Say when each happened.
        after: A cursor: first what happened since.
        loop: Go on after the first.
        count: End after so many.
        timeout: End after so many seconds.
        names: Only print the names of the events there are.
        session: Given by the launcher.
    """
    if names:
        print("\n".join(sorted({virsh_name(one) for one in EVENT_TYPES.values()})))
        return
    _follow(
        session,
        {"domains": domain, "events": None if everything else events, "after": after},
        timestamp=timestamp,
        count=1 if count is None and not loop else count,
        timeout_s=timeout,
    )


def nodedev_event(
    *,
    device: str | None = None,
    events: Annotated[list[str] | None, Parameter(["--event"])] = None,
    timestamp: Flag = False,
    after: str | None = None,
    loop: Flag = False,
    count: int | None = None,
    timeout: float | None = None,
    names: Annotated[bool, Parameter("--list", negative="")] = False,
    session: Hidden,
) -> None:
    """Print the next event of a device of the host, or with --loop events as they happen.

    Args:
        device: Only of this one, such as pci_0000_01_00_0.
        events: Only this event, lifecycle or update; may be given several times.
        timestamp: Say when each happened.
        after: A cursor: first what happened since.
        loop: Go on after the first.
        count: End after so many.
        timeout: End after so many seconds.
        names: Only print the names of the events there are.
        session: Given by the launcher.
    """
    if names:
        print("\n".join(NODE_DEVICE_EVENTS))
        return
    for name in events or ():
        if name not in NODE_DEVICE_EVENTS:
            raise DefinitionError(f"unknown event type {name}", code=ErrorCode.INVALID_ARG)
    chosen = [f"nodedev-{name}" for name in events or NODE_DEVICE_EVENTS]
    _follow(
        session,
        {"domains": None, "events": chosen, "after": after},
        timestamp=timestamp,
        count=1 if count is None and not loop else count,
        timeout_s=timeout,
        device=device,
    )


def _follow(
    session: Session,
    wanted: dict[str, Any],
    *,
    timestamp: bool,
    count: int | None,
    timeout_s: float | None,
    device: str | None = None,
) -> None:
    say: Callable[[dict[str, Any]], str] = json.dumps if session.as_json else sentence
    if timestamp and not session.as_json:  # JSON has the time in any case
        say = _stamped
    trio.run(print_events, session, wanted, say, count, timeout_s, device)


async def print_events(
    session: Session,
    wanted: dict[str, Any],
    say: Callable[[dict[str, Any]], str],
    count: int | None,
    timeout_s: float | None,
    device: str | None = None,
) -> None:
    """Print what is wanted, until there were ``count`` of them or the time is over.

    Args:
        session: Whose.
        wanted: What is subscribed to.
        say: What is printed of each.
        count: How many; ``None`` for ever.
        timeout_s: How long; ``None`` for ever.
        device: Of those of the host's devices, only this one's.
    """
    cursor: str | None = wanted["after"]
    connections = itertools.count()

    def connect() -> AbstractAsyncContextManager[RemoteHypervisor]:
        """Only the first connection starts a keeper: one that somebody has ended stays ended."""
        return open_remote(session.root, starts=next(connections) == 0)

    try:
        with trio.move_on_after(float("inf") if timeout_s is None else timeout_s):
            async with aclosing(follow_events(connect, **wanted)) as found:
                left = count
                async for told in found:
                    cursor = told.cursor
                    if "cursor" in told.value:
                        continue  # the snapshot, which says where the events begin
                    if device is not None and told.value.get("device", device) != device:
                        continue
                    print(say(told.value), flush=True)
                    left = None if left is None else left - 1
                    if left == 0:
                        return
    finally:
        print(f"cursor: {cursor}", file=sys.stderr)


def _stamped(one: dict[str, Any]) -> str:
    if "time_s" not in one:
        return sentence(one)
    moment = datetime.fromtimestamp(one["time_s"], UTC)
    return f"{moment.isoformat(sep=' ', timespec='milliseconds')}: {sentence(one)}"


def sentence(one: dict[str, Any]) -> str:
    """One event, or a gap, as a line for people."""
    if "missed" in one:
        return f"{one['missed']} events were missed ({one['first']} to {one['last']})"
    whose = f"domain '{one['domain']}'" if "domain" in one else f"device '{one['device']}'"
    rest = {key: value for key, value in one.items() if key not in _NOT_DETAILS}
    details = "".join(f" {key}={value}" for key, value in rest.items())
    return f"event '{one['event']}' for {whose}: {one['kind']}{details}"


COMMANDS: dict[str, Callable[..., None]] = {"event": event, "nodedev-event": nodedev_event}
