"""A client of libvirtd in a process of its own; not for import.

``python3.11 client.py URI`` with libvirt-python on its path. Reads requests as lines of JSON and
answers each with one; see `tests.real.libvirtd.daemon.Client`. Times are of CLOCK_MONOTONIC.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

import libvirt  # type: ignore[import-not-found]  # pyright: ignore[reportMissingImports]
import libvirt_qemu  # type: ignore[import-not-found]  # pyright: ignore[reportMissingImports]

PATIENCE_S = 60
MARKER = "events-due-by-now"
MARKER_XML = f"""
<domain type='qemu'><name>{MARKER}</name>
<uuid>5f6a7b80-9000-4000-8000-00000000ffff</uuid><memory unit='MiB'>16</memory>
<os><type arch='x86_64' machine='q35'>hvm</type></os></domain>"""

# What each event's callback gets after the connection and the domain, as names.
EVENTS = {
    "LIFECYCLE": ("event", "detail"),
    "REBOOT": (),
    "RTC_CHANGE": ("offset",),
    "WATCHDOG": ("action",),
    "IO_ERROR_REASON": ("path", "alias", "action", "reason"),
    "CONTROL_ERROR": (),
    "DISK_CHANGE": ("old", "new", "alias", "reason"),
    "TRAY_CHANGE": ("alias", "reason"),
    "PMWAKEUP": ("reason",),
    "PMSUSPEND": ("reason",),
    "BALLOON_CHANGE": ("actual",),
    "PMSUSPEND_DISK": ("reason",),
    "DEVICE_REMOVED": ("alias",),
    "TUNABLE": ("parameters",),
    "AGENT_LIFECYCLE": ("state", "reason"),
    "DEVICE_ADDED": ("alias",),
    "DEVICE_REMOVAL_FAILED": ("alias",),
    "METADATA_CHANGE": ("type", "uri"),
    "MEMORY_DEVICE_SIZE_CHANGE": ("alias", "size"),
    "GRAPHICS": ("phase", "local", "remote", "auth", "subject"),
    "BLOCK_JOB": ("path", "type", "status"),
    "BLOCK_JOB_2": ("target", "type", "status"),
    "MIGRATION_ITERATION": ("iteration",),
    "JOB_COMPLETED": ("parameters",),
    "BLOCK_THRESHOLD": ("target", "path", "threshold", "excess"),
}


class Listener:
    """Every event received, until it is asked for."""

    def __init__(self) -> None:
        self._received: list[dict[str, Any]] = []
        self._changed = threading.Condition()

    def callback(self, kind: str, fields: tuple[str, ...]) -> Any:
        """For registration with libvirt."""

        def receive(connection: Any, domain: Any, *values: Any) -> None:
            self.add(kind, domain, **dict(zip(fields, values[:-1], strict=True)))

        return receive

    def add(self, kind: str, domain: Any, **values: Any) -> None:
        """An event has just come."""
        at_s = time.monotonic()
        with self._changed:
            self._received.append({"kind": kind, "domain": domain.name(), "at_s": at_s, **values})
            self._changed.notify_all()

    def take(self) -> list[dict[str, Any]]:
        """Everything, once there is anything."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._received, PATIENCE_S):
                raise TimeoutError("no event came")
            taken, self._received = self._received, []
            return taken


class Requests:
    """What can be asked for besides libvirt's own methods."""

    def __init__(self, uri: str) -> None:
        libvirt.virEventRegisterDefaultImpl()
        libvirt.registerErrorHandler(lambda *_: None, None)  # errors are raised, not printed too
        threading.Thread(target=self._dispatch, daemon=True).start()
        self._uri = uri
        self.connection = _open(uri)
        self._listener = Listener()
        for kind, fields in EVENTS.items():
            number = getattr(libvirt, f"VIR_DOMAIN_EVENT_ID_{kind}")
            receive = self._listener.callback(kind, fields)
            self.connection.domainEventRegisterAny(None, number, receive, None)
        self._marker = self.connection.defineXML(MARKER_XML)
        self._count = 0

    def _dispatch(self) -> None:
        while True:
            libvirt.virEventRunDefaultImpl()

    def events(self) -> list[dict[str, Any]]:
        """All that is due: libvirtd queues events in order, and so behind them one of ours."""
        self._count += 1
        text = f"mark {self._count}"
        config = libvirt.VIR_DOMAIN_AFFECT_CONFIG
        title = libvirt.VIR_DOMAIN_METADATA_DESCRIPTION
        self._marker.setMetadata(title, text, None, None, config)
        found: list[dict[str, Any]] = []
        while not any(event["domain"] == MARKER for event in found):
            found += self._listener.take()
        return [event for event in found if event["domain"] != MARKER]

    def wait(self) -> list[dict[str, Any]]:
        """What has come, once something has."""
        found = self._listener.take()
        return [event for event in found if event["domain"] != MARKER]

    def wait_for_domains(self, names: list[str]) -> float:
        """Each answers a question that goes to its QEMU; returns when they do."""
        connection = _open(self._uri)
        for name in names:
            domain = connection.lookupByName(name)
            libvirt_qemu.qemuMonitorCommand(domain, '{"execute": "query-status"}', 0)
        end_s = time.monotonic()
        connection.close()
        return end_s

    def watch_monitor(self, name: str) -> None:
        """Have an event of QEMU's monitor among the events, unless it lacks a device's id."""

        def receive(
            _: Any, domain: Any, event: str, seconds: int, micros: int, details: str, opaque: Any
        ) -> None:
            if "device" in json.loads(details or "{}"):
                self._listener.add("MONITOR", domain, event=event)

        libvirt_qemu.qemuMonitorEventRegister(self.connection, None, name, receive, None, 0)

    def define_and_undefine(self, xml: str, pairs: int) -> None:
        """One pair after the other."""
        for _ in range(pairs):
            self.connection.defineXML(xml).undefine()

    def test_driver_rate(self, what: str, calls: int) -> float:
        """Calls a second of libvirt's driver without a daemon."""
        connection = libvirt.open("test:///default")
        domain = connection.lookupByName("test")
        call = {"lookup": lambda: connection.lookupByName("test"), "xml": domain.XMLDesc}[what]
        begin_s = time.perf_counter()
        for _ in range(calls):
            call()
        return calls / (time.perf_counter() - begin_s)

    def event_rate(self, name: str, observers: int, calls: int) -> float:
        """Events a second that observers with a connection each get of one producer's calls."""
        seen = [0] * observers
        all_seen = threading.Condition()

        def receive(_connection: Any, _domain: Any, _type: int, _uri: Any, place: int) -> None:
            with all_seen:
                seen[place] += 1
                all_seen.notify_all()

        connections = [libvirt.open(self._uri) for _ in seen]
        kind = libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE
        for place, connection in enumerate(connections):
            connection.domainEventRegisterAny(None, kind, receive, place)
        domain = self.connection.lookupByName(name)
        live = libvirt.VIR_DOMAIN_AFFECT_LIVE
        begin_s = time.monotonic()
        for number in range(calls):
            text = f"title {number}"
            domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, text, None, None, live)
        with all_seen:
            all_seen.wait_for(lambda: min(seen) == calls, PATIENCE_S)
        took_s = time.monotonic() - begin_s
        assert seen == [calls] * observers, seen
        for connection in connections:
            connection.close()
        return observers * calls / took_s

    def define(self, xml: str) -> None:
        """As defineXML, whose result is no JSON."""
        self.connection.defineXML(xml)

    def create_transient(self, xml: str, flags: int) -> None:
        """As createXML, whose result is no JSON."""
        self.connection.createXML(xml, flags)

    def screenshot_of(self, name: str, screen: str) -> str:
        """As screenshot, whose result is a stream; the MIME type of what came."""
        stream = self.connection.newStream()
        kind: str = self.connection.lookupByName(name).screenshot(stream, int(screen))
        received: list[bytes] = []
        stream.recvAll(lambda _stream, data, found: found.append(data), received)
        stream.finish()
        assert b"".join(received), "a picture is something"
        return kind

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do one request."""
        target: Any = self.connection
        try:
            if request["domain"] is not None:
                target = self.connection.lookupByName(request["domain"])
            elif hasattr(self, request["call"]):
                target = self
            method = getattr(target, request["call"])
            begin_s = time.monotonic()
            result = method(*request["arguments"])
        except libvirt.libvirtError as error:
            code, domain = error.get_error_code(), error.get_error_domain()
            return {"error": [code, domain, error.get_error_message()]}
        return {"result": result, "begin_s": begin_s, "took_s": time.monotonic() - begin_s}


def _open(uri: str) -> Any:
    """Connect as soon as libvirtd listens."""
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            return libvirt.open(uri)
        except libvirt.libvirtError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.002)


def main() -> None:
    """Serve until there are no more requests."""
    requests = Requests(sys.argv[1])
    for line in sys.stdin:
        print(json.dumps(requests.answer(json.loads(line)), default=str), flush=True)


if __name__ == "__main__":
    main()
