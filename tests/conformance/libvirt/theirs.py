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
from tests.conformance.libvirt.calls import OF_DOMAIN, OF_HYPERVISOR
from tests.conformance.libvirt.requests import Request
from tests.conformance.libvirt.workshop import SETTLE_S, Workshop
from tests.real.libvirtd.daemon import Client, Libvirtd, private_libvirtd

_SENT = re.compile(r"QEMU_MONITOR_SEND_MSG: mon=\S+ msg=(\{.*\})")
# `virDomainJobOperation`, of which these are the ones that a request leads to.
_OPERATIONS = {2: "save", 3: "restore", 8: "dump"}
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
    if request.settle:
        time.sleep(SETTLE_S)
    events += map(_event_line, client.events())
    with daemon.log.open() as log:
        log.seek(start)
        commands = _commands(log.read())
    return Answer(
        request=request.name,
        error=(answer["error"][0], workshop.neutral(answer["error"][2])) if is_refused else None,
        events=certain(map(workshop.neutral_event, events), resets=request.resets),
        commands=tuple(map(workshop.neutral, commands)),
        state=_state(request, client),
    )


def _call(request: Request, client: Client, workshop: Workshop) -> dict[str, Any]:
    if request.call == "boot":
        workshop.wait_until_ready()
        return {}
    if request.call == "wait":
        return {}
    domain = None if request.call in OF_HYPERVISOR else request.domain
    call = OF_HYPERVISOR.get(request.call) or OF_DOMAIN[request.call]
    arguments = call.arguments(workshop.filled(request.argument), request.impact)
    return client.call(call.method, *arguments, domain=domain)


def _state(request: Request, client: Client) -> tuple[int, int] | None:
    answer = client.call("state", 0, domain=request.domain)
    if "error" in answer:
        return None
    state, reason = answer["result"]
    return state, reason


def _event_line(event: Mapping[str, Any]) -> EventLine:
    name: str = event["kind"].lower().replace("_", "-")
    values = [value for key, value in event.items() if key not in ("kind", "domain", "at_s")]
    if event["kind"] in ("PMSUSPEND", "PMSUSPEND_DISK", "PMWAKEUP"):
        values = []  # a reason, of which there is only one
    if event["kind"] == "JOB_COMPLETED":
        values = [_OPERATIONS[event["parameters"]["operation"]]]
    if event["kind"] == "TUNABLE":
        values = [f"{name}={value}" for name, value in event["parameters"].items()]
    if event["kind"] == "DISK_CHANGE":
        values = [event[key] for key in ("alias", "old", "new", "reason")]
    return (_NAMES.get(name, name), *map(str, values))


def _commands(log: str) -> list[str]:
    found = (command_line(json.loads(text)) for text in _SENT.findall(log))
    return [line for line in found if line is not None]
