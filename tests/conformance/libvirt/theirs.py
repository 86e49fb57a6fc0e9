"""The requests, made of a real libvirtd."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pyvirt_sim.conformance.real.guest import Guest
from tests.conformance.libvirt.answers import Answer, EventLine, certain, command_line, has
from tests.conformance.libvirt.requests import DOMAIN, Request
from tests.conformance.libvirt.workshop import SETTLE_S, Workshop
from tests.real.libvirtd.daemon import Client, Libvirtd, private_libvirtd

_SENT = re.compile(r"QEMU_MONITOR_SEND_MSG: mon=\S+ msg=(\{.*\})")
_CURRENT, _PAUSED, _GRACEFUL, _ACPI = 0, 1, 1, 1
# The method, what it takes besides the argument, and whether it is one of the domain.
METHODS: Mapping[str, tuple[str, tuple[Any, ...], bool]] = {
    "define": ("define", (), False),
    "create": ("create_transient", (_CURRENT,), False),
    "start": ("create", (), True),
    "start-paused": ("createWithFlags", (_PAUSED,), True),
    "suspend": ("suspend", (), True),
    "resume": ("resume", (), True),
    "shutdown": ("shutdownFlags", (_ACPI,), True),
    "reboot": ("reboot", (_ACPI,), True),
    "reset": ("reset", (_CURRENT,), True),
    "destroy": ("destroy", (), True),
    "destroy-graceful": ("destroyFlags", (_GRACEFUL,), True),
    "undefine": ("undefine", (), True),
}
_DEVICE_METHODS = {
    "attach": "attachDeviceFlags",
    "detach": "detachDeviceFlags",
    "detach-alias": "detachDeviceAlias",
    "update": "updateDeviceFlags",
}
_NAMES = {"pmwakeup": "pm-wakeup", "pmsuspend": "pm-suspend", "pmsuspend-disk": "pm-suspend-disk"}


def play(requests: Iterable[Request], guest: Guest, folder: Path) -> list[Answer]:
    """Make each request of a private libvirtd, in turn."""
    workshop = Workshop(folder, guest)
    with private_libvirtd() as daemon, daemon.client() as client:
        return [_make(request, daemon, client, workshop) for request in requests]


def _make(request: Request, daemon: Libvirtd, client: Client, workshop: Workshop) -> Answer:
    start = daemon.log.stat().st_size
    answer = _call(request, client, workshop)
    is_refused = "error" in answer
    events: list[EventLine] = []
    if request.until is not None and not is_refused:
        while not has(events, request.until):
            events += map(_event_line, client.wait())
    if request.boots:
        workshop.wait_until_ready()
    events += map(_event_line, client.events())
    with daemon.log.open() as log:
        log.seek(start)
        commands = _commands(log.read())
    if request.settle and not is_refused:
        time.sleep(SETTLE_S)
    return Answer(
        request=request.name,
        error=(answer["error"][0], workshop.neutral(answer["error"][2])) if is_refused else None,
        events=certain(events),
        commands=tuple(map(workshop.neutral, commands)),
    )


def _call(request: Request, client: Client, workshop: Workshop) -> dict[str, Any]:
    arguments = [workshop.filled(request.argument)] if request.argument else []
    if request.call == "boot":
        workshop.wait_until_ready()
        return {}
    if request.call in _DEVICE_METHODS:
        argument, flags = workshop.filled(request.argument), request.impact.value
        return client.call(_DEVICE_METHODS[request.call], argument, flags, domain=DOMAIN)
    method, more, is_of_domain = METHODS[request.call]
    return client.call(method, *arguments, *more, domain=DOMAIN if is_of_domain else None)


def _event_line(event: Mapping[str, Any]) -> EventLine:
    name: str = event["kind"].lower().replace("_", "-")
    values = (value for key, value in event.items() if key not in ("kind", "domain", "at_s"))
    return (_NAMES.get(name, name), *map(str, values))


def _commands(log: str) -> list[str]:
    found = (command_line(json.loads(text)) for text in _SENT.findall(log))
    return [line for line in found if line is not None]
