"""The command that follows a hypervisor's events."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Annotated, Any

import trio
from cyclopts import Parameter

from pyvirt_trio.cli.session import Hidden, Session
from pyvirt_trio.errors import MonitorClosedError
from pyvirt_trio.models.event_filter import EVENT_TYPES, virsh_name
from pyvirt_trio.remote.client import RemoteHypervisor, open_remote

Flag = Annotated[bool, Parameter(negative="")]

_NOT_DETAILS = ("sequence", "time_s", "kind", "event", "domain", "device", "uuid", "life")


def event(
    *,
    domain: list[str] | None = None,
    events: Annotated[list[str] | None, Parameter(["--event", "--filter"])] = None,
    everything: Annotated[bool, Parameter("--all", negative="")] = False,
    timestamp: Flag = False,
    after: str | None = None,
    count: int | None = None,
    timeout: float | None = None,
    names: Annotated[bool, Parameter("--list", negative="")] = False,
    session: Hidden,
) -> None:
    """Print events as they happen, until interrupted.

    The last line, on standard error, is the cursor with which --after goes on.

    Args:
        domain: Only events of this domain; may be given several times.
        events: Only this event, such as device-removed or lifecycle; may be given several times.
        everything: All events; the same as no --event.
        timestamp: Say when each happened.
        after: A cursor: first what happened since.
        count: End after so many.
        timeout: End after so many seconds.
        names: Only print the names of the events there are.
        session: Given by the launcher.
    """
    if names:
        print("\n".join(sorted({virsh_name(one) for one in EVENT_TYPES.values()})))
        return
    wanted = {"domains": domain, "events": None if everything else events, "after": after}
    say: Callable[[dict[str, Any]], str] = json.dumps if session.as_json else sentence
    if timestamp and not session.as_json:  # JSON has the time in any case
        say = _stamped
    trio.run(_print_events, session, wanted, say, count, timeout)


async def _print_events(
    session: Session,
    wanted: dict[str, Any],
    say: Callable[[dict[str, Any]], str],
    count: int | None,
    timeout_s: float | None,
) -> None:
    cursor = wanted["after"]
    try:
        with trio.move_on_after(float("inf") if timeout_s is None else timeout_s):
            async with open_remote(session.root) as hypervisor:
                left = count
                async with aclosing(hypervisor.events(**wanted)) as found:
                    async for one in found:
                        cursor = _cursor(hypervisor, one) or cursor
                        if "cursor" in one:
                            continue  # the snapshot, which says where the events begin
                        print(say(one), flush=True)
                        left = None if left is None else left - 1
                        if left == 0:
                            return
    except MonitorClosedError as error:
        print(f"{error}", file=sys.stderr)
    finally:
        print(f"cursor: {cursor}", file=sys.stderr)


def _cursor(hypervisor: RemoteHypervisor, one: dict[str, Any]) -> str | None:
    if "sequence" in one and "cursor" not in one:
        return hypervisor.cursor_after(one)
    found: str | None = one.get("cursor")
    return found


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


COMMANDS: dict[str, Callable[..., None]] = {"event": event}
