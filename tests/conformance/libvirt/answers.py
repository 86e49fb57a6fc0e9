"""What a request led to, in a form that both libvirt's answers and ours can be written in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

# Questions, libvirt's refresh of its list of devices, and greeting: they change nothing in QEMU.
_QUESTIONS = ("query-", "qom-list", "qom-get", "device-list-properties", "qmp_capabilities")

# libvirt asks each QEMU at its start to tell of migrations; we ask when there is to be one.
_COPIES_ARE_TOLD = {"capabilities": [{"capability": "events", "state": True}]}

# Names of block nodes are each side's own business: libvirt-1-format, virtio-disk0-format.
_NODE = re.compile(r'"[^"]+-(storage|format)"')

# The number of a vsock that was given none is drawn from all there are.
_DRAWN_CID = re.compile(r'"guest-cid": \d{4,}')

# libvirt has pictures of screens written into files of its cache.
_PICTURE = re.compile(r'"filename": "[^"]+(\.screendump\.[^"]+|\.screen)"')

ASPECTS = ("error", "events", "commands", "state")

EventLine = tuple[str, ...]
"""Name of the event as libvirt calls it, then its values as text: device-removed, rng0."""

_PASS = "migration-iteration"
_PAUSED, _PANICKED = ("lifecycle", "3", "0"), ("lifecycle", "8", "0")
_SHUT_DOWN, _DESTROYED = ("lifecycle", "6", "2"), ("lifecycle", "5", "1")

# What may come right before another event, or may not.
_UNCERTAIN: Mapping[EventLine, EventLine] = {_PANICKED: _PAUSED, _DESTROYED: _SHUT_DOWN}


@attrs.frozen(kw_only=True)
class Answer:
    """What one request led to.

    Attributes:
        request: Its name.
        error: libvirt's number and text of the refusal, or None.
        events: What observers were told, in order.
        commands: What QEMU was asked to do, in order; questions are left out.
        state: Numbers of the domain's state and of its reason, None when there is no domain.
    """

    request: str
    error: tuple[int, str] | None
    events: tuple[EventLine, ...]
    commands: tuple[str, ...]
    state: tuple[int, int] | None

    def differences(self, other: Answer) -> list[str]:
        """The aspects in which two answers to a request differ."""
        return [one for one in ASPECTS if getattr(self, one) != getattr(other, one)]


def command_line(message: Mapping[str, Any]) -> str | None:
    """A command to QEMU as one line of text, or None for a mere question."""
    name: str = message["execute"]
    if name.startswith(_QUESTIONS) or message.get("arguments") == _COPIES_ARE_TOLD:
        return None
    arguments = json.dumps(message.get("arguments", {}), sort_keys=True)
    arguments = _DRAWN_CID.sub('"guest-cid": "CID"', arguments)
    arguments = _PICTURE.sub('"filename": "PICTURE"', arguments)
    return f"{name} " + _NODE.sub(r'"NODE-\1"', arguments)


def certain(events: Iterable[EventLine], *, resets: bool) -> tuple[EventLine, ...]:
    """What does not depend on chance.

    How often the memory of a guest is gone through while it is saved depends on the guest. A
    firmware that starts again resets the machine once or twice more, soon or later. libvirt tells
    of a broken monitor when it happens to read once more from a QEMU that has ended, as it was told
    to. It tells that a guest which has panicked is paused, when it happens to be slower to look
    after the panic than to hear that the processors stand still. And a QEMU that is destroyed says
    that it shuts down, which libvirt passes on when it happens to read it before it closes the
    monitor, and never of a domain with ``<on_poweroff>restart``.

    Args:
        events: What observers were told.
        resets: Whether the request itself leads to a reset.
    """
    found: list[EventLine] = []
    for event in events:
        is_late = event == ("reboot",) and (event in found or not resets)
        is_late |= event[0] == _PASS and has(found, (_PASS,))
        before = _UNCERTAIN.get(event)
        if before is not None and found[-1:] == [before]:
            found.pop()
        if event != ("control-error",) and not is_late:
            found.append(event)
    return tuple(found)


def has(events: Iterable[EventLine], beginning: EventLine) -> bool:
    """Whether one of the events begins in a certain way."""
    return any(event[: len(beginning)] == beginning for event in events)
