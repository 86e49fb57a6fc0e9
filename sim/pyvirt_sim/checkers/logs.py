"""Logs of a real libvirt as traces: ``virsh event``, and the daemon's debug log.

Two formats are read, line by line; a file may hold either, and lines of neither are counted.

``virsh event --timestamp --all --loop`` writes what a client receives::

    2026-01-01 10:00:00.123+0000: event 'lifecycle' for domain 'demo': Started Booted

libvirtd with ``log_filters="1:qemu"`` writes what it does: every message of a monitor
(``QEMU_MONITOR_SEND_MSG``, ``..._RECV_REPLY``, ``..._RECV_EVENT``) and the jobs of domains
(``Starting job``, ``Started job``, ``Stopping job``)::

    2026-01-01 10:00:00.120+0000: 4711: info : qemuMonitorSend:914 : QEMU_MONITOR_SEND_MSG: mon=...
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

import attrs

from pyvirt_sim.checkers.trace import Entry, Kind

CLIENT = "client"
DAEMON = "libvirtd"

_STAMPED = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+\+\d{4}): (.*)")
_VIRSH = re.compile(r"event '([\w-]+)' for domain '?([^':]+)'?(?: disk ([^:]+))?(?:: ?(.*))?")
_DAEMON = re.compile(r"(\d+): (?:debug|info|warning|error) : \w+:\d+ : (.*)")
_MONITOR = re.compile(
    r"QEMU_MONITOR_(SEND_MSG|RECV_REPLY|RECV_EVENT): mon=(\S+) (?:msg|reply|event)=(.*)"
)
_WAITS_FOR_JOB = re.compile(r"Starting job: .*\bname=(\S+?),")
_JOB = re.compile(r"(Started|Stopping) job: (\w[\w -]*?) \(.*\bname=(\S+?)\)")

_LIFECYCLE = {
    "Defined": "DomainDefined",
    "Undefined": "DomainUndefined",
    "Started": "DomainStarted",
    "Suspended": "DomainSuspended",
    "Resumed": "DomainResumed",
    "Stopped": "DomainStopped",
    "Shutdown": "DomainShutdown",
    "PMSuspended": "DomainPmSuspended",
    "Crashed": "DomainCrashed",
}
_WITH_ALIAS = {
    "device-added": "DeviceAdded",
    "device-removed": "DeviceRemoved",
    "device-removal-failed": "DeviceRemovalFailed",
}


@attrs.frozen
class Line:
    """One line of one file, in time.

    Args:
        time_s: Seconds since 1970.
        place: File and number.
        text: What follows the time stamp.
    """

    time_s: float
    place: str
    text: str


@attrs.define
class Log:
    """What was read.

    Attributes:
        entries: The trace, by time.
        unread: Places of lines that belong to neither format.
        kinds: Which formats were met: ``virsh``, ``libvirtd``.
    """

    entries: list[Entry] = attrs.field(factory=list[Entry])
    unread: list[str] = attrs.field(factory=list[str])
    kinds: dict[str, None] = attrs.field(factory=dict[str, None])
    _commands: dict[str, tuple[str, Mapping[str, Any]]] = attrs.field(
        factory=dict[str, tuple[str, Mapping[str, Any]]]
    )

    def add(self, line: Line, kind: Kind, actor: str, name: str, subject: str, **data: Any) -> None:
        """Append an entry."""
        self.entries.append(
            Entry(
                number=len(self.entries) + 1,
                time_s=line.time_s,
                actor=actor,
                kind=kind,
                name=name,
                subject=subject,
                data={**data, "line": line.place},
            )
        )

    def read(self, line: Line) -> None:
        """Take one line, whichever format it is of."""
        found = _VIRSH.fullmatch(line.text)
        if found is not None:
            self.kinds["virsh"] = None
            name, domain, disk, rest = found.groups()
            self._event(line, name, domain, disk, rest or "")
            return
        found = _DAEMON.fullmatch(line.text)
        if found is None:
            self.unread.append(line.place)
            return
        self.kinds["libvirtd"] = None
        self._daemon(line, f"thread {found.group(1)}", found.group(2))

    def _event(self, line: Line, name: str, domain: str, disk: str | None, rest: str) -> None:
        text = rest.strip()
        if name == "lifecycle":
            kind, _, detail = text.partition(" ")
            name = _LIFECYCLE.get(kind, kind)
            self.add(line, Kind.DELIVERED, CLIENT, name, domain, detail=detail)
        elif name in _WITH_ALIAS:
            self.add(line, Kind.DELIVERED, CLIENT, _WITH_ALIAS[name], domain, alias=text)
        else:
            details = {"disk": disk} if disk else {}
            self.add(line, Kind.DELIVERED, CLIENT, name, domain, detail=text, **details)

    def _daemon(self, line: Line, thread: str, text: str) -> None:
        monitor = _MONITOR.match(text)
        if monitor is not None:
            direction, pointer, message = monitor.groups()
            decoded = _first_json(message)
            if decoded is None:
                self.unread.append(line.place)
            elif direction == "SEND_MSG":
                self._command(line, pointer, decoded)
            elif direction == "RECV_REPLY":
                self._reply(line, pointer, decoded)
            else:
                self._monitor_event(line, pointer, decoded)
            return
        waits = _WAITS_FOR_JOB.match(text)
        job = _JOB.match(text)
        if waits is not None:
            self.add(line, Kind.WAITS, thread, "job", waits.group(1))
        elif job is not None:
            verb, name, domain = job.groups()
            kind = Kind.HOLDS if verb == "Started" else Kind.FREES
            self.add(line, kind, thread, "job", domain, job=name)

    def _command(self, line: Line, pointer: str, message: Mapping[str, Any]) -> None:
        name = str(message.get("execute", message.get("exec-oob", "")))
        call = f"{pointer} {message.get('id')}"
        arguments: Mapping[str, Any] = message.get("arguments") or {}
        about = arguments.get("id", arguments.get("node-name"))
        data = {} if about is None else {"id": about}
        self._commands[call] = name, data
        self.add(line, Kind.BEGUN, DAEMON, name, pointer, call=call, **data)

    def _reply(self, line: Line, pointer: str, message: Mapping[str, Any]) -> None:
        call = f"{pointer} {message.get('id')}"
        name, data = self._commands.pop(call, ("", {}))
        if not name:
            return  # the command is older than the log
        error: Mapping[str, Any] = message.get("error") or {}
        outcome = error.get("class", "error") if error else "ok"
        self.add(line, Kind.ENDED, DAEMON, name, pointer, call=call, outcome=outcome, **data)

    def _monitor_event(self, line: Line, pointer: str, message: Mapping[str, Any]) -> None:
        data: Mapping[str, Any] = message.get("data") or {}
        details = {"alias": data["device"]} if "device" in data else {}
        self.add(line, Kind.DELIVERED, DAEMON, str(message.get("event")), pointer, **details)


def read_logs(texts: Mapping[str, str]) -> Log:
    """Read log files, by name, into one trace in the order of their time stamps.

    A line without a time stamp continues the one before it, as ``virsh`` writes details of some
    events, and says nothing here.
    """
    log = Log()
    lines = [line for name, text in texts.items() for line in _stamped(name, text, log.unread)]
    lines.sort(
        key=lambda line: line.time_s
    )  # stable: what has the same stamp stays in the order of its file
    for line in lines:
        log.read(line)
    return log


def _stamped(name: str, text: str, unread: list[str]) -> Iterable[Line]:
    is_first = True
    for number, line in enumerate(text.splitlines(), 1):
        found = _STAMPED.fullmatch(line.rstrip())
        if found is not None:
            is_first = False
            stamp = datetime.strptime(found.group(1), "%Y-%m-%d %H:%M:%S.%f%z")
            yield Line(stamp.astimezone(UTC).timestamp(), f"{name}:{number}", found.group(2))
        elif line.strip() and is_first:
            unread.append(f"{name}:{number}")


def _first_json(text: str) -> dict[str, Any] | None:
    """The object at the beginning of ``text``; the daemon writes more behind some."""
    try:
        value, _ = json.JSONDecoder().raw_decode(text)
    except ValueError:
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None
