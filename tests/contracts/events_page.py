"""Writes ``docs/reference/events.md``: ``python -m tests.contracts.events_page > ...``."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import attrs

import pyvirt_trio
from pyvirt_trio.driver.journal import JOURNAL_LENGTH
from pyvirt_trio.models.event_filter import EVENT_TYPES, virsh_name
from pyvirt_trio.models.events import DomainEvent, HypervisorEvent, LifecycleEvent, NodeDeviceEvent

DRIVER = Path(pyvirt_trio.__file__).parent / "driver"
_COMMON = ("domain", "uuid", "life", "device")

_TEXT = f"""\
# Events

This page is written by `python -m tests.contracts.events_page` from the event classes and from the
driver's code, and a test holds it to them.

An event is appended to the journal in the same synchronous step that changes what it tells of:
whoever receives it can ask any question and gets an answer that already agrees with it.

## Listening

`view, events = hypervisor.subscribe()` gives everything as it is now and, without a gap, every
event behind it. Iterate over `events` for one `Record` at a time (`sequence`, `event`, `time_s`),
or call `receive_batch()` for all that have come. An `EventFilter` names the domains and the types
that are wanted.

Events are numbered 1, 2, 3, ... per journal, and the latest {JOURNAL_LENGTH:,} are kept. An
observer that falls further behind gets one `ResyncRequiredError`, which names the first and the
last event it has lost, and its subscription has ended: subscribe again for a fresh view. That is
the only way to get exactly one such marker however long a storm lasts: an observer that was put
back into the stream by itself would be overrun again before it had caught up.

`events.cursor` is the observer's place, as text `JOURNAL:SEQUENCE`. `hypervisor.resume(cursor)`
goes on behind it, while the events behind it are kept; a cursor of another journal, whose manager
has ended, is refused with `ResyncRequiredError`.

A client of the daemon asks `subscribe` with `domains`, `events` and `after`; on the command line:
`pyvirt event --domain demo --event device-removed --timestamp --after CURSOR`. Events of the host's
devices are told from `hypervisor.follow_node_devices()` on, which the daemon calls at its start.

## The events

The numbers are libvirt's (`virDomainEventID`; for the host's devices `virNodeDeviceEventID`), the
names virsh's. An event of a domain also has `domain`, `uuid` and `life`. A class with "no" under
"told" is there for its number; nothing the driver does today leads to it. Each of the others is
raised through the simulated QEMU by `tests/simulated/driver/test_every_event.py`.
"""

_UNTOLD: dict[str, str] = {}
"""Why nothing leads to an event."""

_NEED = {
    "BalloonChanged": "a balloon, which no definition can have: it takes one that somebody has put "
    "into QEMU by hand",
    "BlockJobChanged": "a block job begun here (`Domain.block_pull`): copies and commits are not",
    "GraphicsChanged": "a graphical console, in the definition or put into QEMU by hand",
    "MemoryFailed": "broken memory of the host, or a machine check that somebody injects",
    "TunableChanged": "`Domain.set_block_io_tune`: nothing else that libvirt tunes is set here",
}
"""What an event that is told needs, and a usual domain has not."""


def page() -> str:
    """The text of the page."""
    raised = _called_in_driver()
    parts = [_TEXT]
    for title, base in (
        ("Lifecycle of a domain", LifecycleEvent),
        ("Of a domain", DomainEvent),
        ("Of a device of the host", NodeDeviceEvent),
    ):
        rows = [one for one in EVENT_TYPES.values() if _belongs(one, base)]
        parts.append(f"### {title}\n")
        parts.append("| class | virsh | number | fields | told | when |\n|---|---|---|---|---|---|")
        parts.append("\n".join(_row(one, raised) for one in sorted(rows, key=_order)) + "\n")
    parts.append("## Events that hardly come\n")
    untold = [name for name in EVENT_TYPES if name not in raised]
    parts += [f"* `{name}` is never told: {_UNTOLD[name]}." for name in untold]
    parts += [f"* `{name}` needs {need}." for name, need in _NEED.items()]
    return "\n".join(parts) + "\n"


def _belongs(one: type[HypervisorEvent], base: type[HypervisorEvent]) -> bool:
    if base is DomainEvent and issubclass(one, LifecycleEvent):
        return False
    return issubclass(one, base)


def _order(one: type[HypervisorEvent]) -> tuple[int, int]:
    return one.libvirt_ids[0], getattr(one, "libvirt_type", 0)


def _row(one: type[HypervisorEvent], raised: set[str]) -> str:
    numbers = ", ".join(str(number) for number in one.libvirt_ids)
    if (kind := getattr(one, "libvirt_type", None)) is not None:
        numbers += f" (type {kind})"
    fields = [field.name for field in attrs.fields(one) if field.name not in _COMMON]
    told = "yes" if one.__name__ in raised else "no"
    first = " ".join((one.__doc__ or "").split("\n\n")[0].split())
    names = ", ".join(f"`{name}`" for name in fields)
    return f"| `{one.__name__}` | {virsh_name(one)} | {numbers} | {names} | {told} | {first} |"


def _called_in_driver() -> set[str]:
    """Names that the driver's code calls, or hands on to be called."""
    found: set[str] = set()
    for path in sorted(DRIVER.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                found.add(node.id)
    return found & set(EVENT_TYPES)


if __name__ == "__main__":
    sys.stdout.write(page())
