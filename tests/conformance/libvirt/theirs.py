"""The requests, made of a real libvirtd."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pyvirt_sim.conformance.real.guest import Guest
from tests.conformance.libvirt.answers import Answer, EventLine, command_line
from tests.conformance.libvirt.requests import DOMAIN, Request, domain_xml
from tests.conformance.libvirt.workshop import SETTLE_S, Workshop
from tests.real.libvirtd.daemon import Client, Libvirtd, private_libvirtd

_SENT = re.compile(r"QEMU_MONITOR_SEND_MSG: mon=\S+ msg=(\{.*\})")
_METHODS = {
    "attach": "attachDeviceFlags",
    "detach": "detachDeviceFlags",
    "detach-alias": "detachDeviceAlias",
    "update": "updateDeviceFlags",
}
_NAMES = {"pmwakeup": "pm-wakeup", "pmsuspend": "pm-suspend", "pmsuspend-disk": "pm-suspend-disk"}


def play(requests: Iterable[Request], guest: Guest, folder: Path) -> list[Answer]:
    """Boot the guest under a private libvirtd and make each request of it."""
    workshop = Workshop(folder)
    with private_libvirtd() as daemon, daemon.client() as client:
        client.require("define", domain_xml(guest, workshop.console))
        client.require("create", domain=DOMAIN)
        workshop.wait_until_ready(guest)
        client.events()
        answers = [_make(request, daemon, client, workshop) for request in requests]
        client.require("destroy", domain=DOMAIN)
    return answers


def _make(request: Request, daemon: Libvirtd, client: Client, workshop: Workshop) -> Answer:
    start = daemon.log.stat().st_size
    argument, flags = workshop.filled(request.argument), request.impact.value
    answer = client.call(_METHODS[request.call], argument, flags, domain=DOMAIN)
    is_refused = "error" in answer
    waiting = request.until is not None and not is_refused
    events = client.wait_for(_kind(request.until)) if waiting else client.events()
    with daemon.log.open() as log:
        log.seek(start)
        commands = _commands(log.read())
    if request.settle and not is_refused:
        time.sleep(SETTLE_S)
    return Answer(
        request=request.name,
        error=(answer["error"][0], workshop.neutral(answer["error"][2])) if is_refused else None,
        events=tuple(map(_event_line, events)),
        commands=tuple(map(workshop.neutral, commands)),
    )


def _kind(name: str | None) -> str:
    assert name is not None
    return name.upper().replace("-", "_")


def _event_line(event: Mapping[str, Any]) -> EventLine:
    name: str = event["kind"].lower().replace("_", "-")
    values = (value for key, value in event.items() if key not in ("kind", "domain", "at_s"))
    return (_NAMES.get(name, name), *map(str, values))


def _commands(log: str) -> list[str]:
    found = (command_line(json.loads(text)) for text in _SENT.findall(log))
    return [line for line in found if line is not None]
