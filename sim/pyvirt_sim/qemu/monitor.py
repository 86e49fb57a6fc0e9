"""QMP monitors: greeting, negotiation, commands in and out of band, events.

Facts of QEMU 7.2 relied on here: a monitor serves one client at a time, the next waits in the
socket's backlog; events before negotiation are dropped; commands in band wait in a queue of their
monitor, and all monitors share one dispatcher, which takes one command of each in turn; messages
that cannot be read wait in the same queue for their error; out-of-band commands overtake. Without
negotiated ``oob`` a monitor reads no further while a command waits. What still waits when its
client closes is never executed.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

import trio

from pyvirt_sim.engine import note
from pyvirt_sim.qemu import commands, recorded, schema
from pyvirt_sim.qemu.errors import QmpError
from pyvirt_sim.qemu.json_text import JsonStream, Malformed
from pyvirt_sim.qemu.order import qdict_order
from pyvirt_sim.qemu.world import MonitorStream

if TYPE_CHECKING:
    from pyvirt_sim.qemu.process import QemuProcess

# QEMU suspends reading at this many waiting commands (QMP_REQ_QUEUE_LEN_MAX).
QUEUE_LENGTH: Final = 8
# The length of the backlog QEMU listens with is 1: one client may wait behind the one served.
BACKLOG_LENGTH: Final = 1


class Dispatcher:
    """Executes the commands of all monitors of one process, one after the other.

    Args:
        qemu: The process.
    """

    def __init__(self, qemu: QemuProcess) -> None:
        self._qemu = qemu
        # The monitor whose turn is next comes first; QEMU begins with the one created last.
        self.monitors: list[Monitor] = []
        self._work = trio.Event()

    def add(self) -> Monitor:
        """Create a monitor."""
        monitor = Monitor(self._qemu, self)
        self.monitors.insert(0, monitor)
        return monitor

    def close(self) -> None:
        """End every connection: the process is gone."""
        for monitor in self.monitors:
            monitor.close()

    def send(self, message: Mapping[str, Any]) -> None:
        """Give an event to every client that has negotiated."""
        for monitor in self.monitors:
            if monitor.is_negotiated:
                monitor.send(message)

    def babble(self) -> None:
        """Say what is no JSON; no QEMU does, until its memory or its socket is damaged."""
        for monitor in self.monitors:
            monitor.say(b"] nonsense\r\n")

    def wake(self) -> None:
        """There is something in a queue."""
        self._work.set()

    async def run(self) -> None:
        """Execute commands, until cancelled."""
        while True:
            if self._next() is None:
                self._work = trio.Event()
                await self._work.wait()
            await self._qemu.world.pause("monitor-command")
            monitor = self._next()  # a client may have gone meanwhile, and its commands with it
            if monitor is not None:
                self.monitors.remove(monitor)
                self.monitors.append(monitor)
                monitor.execute_next()

    def _next(self) -> Monitor | None:
        return next((monitor for monitor in self.monitors if monitor.requests), None)


class Monitor:
    """One monitor of a QEMU process. Made by `Dispatcher.add`.

    Attributes:
        requests: What waits to be executed: messages as they were read.
        is_negotiated: Whether its client hears events and may give commands.
    """

    def __init__(self, qemu: QemuProcess, dispatcher: Dispatcher) -> None:
        self._qemu = qemu
        self._dispatcher = dispatcher
        self._waiting: deque[MonitorStream] = deque()
        self._arrived = trio.Event()
        self._stream: MonitorStream | None = None
        self.requests: deque[object] = deque()
        self._executed = trio.Event()
        self.is_negotiated = False
        self._has_oob = False

    def accept(self, stream: MonitorStream) -> bool:
        """Take a connection into the backlog. False when the backlog is full."""
        if len(self._waiting) > BACKLOG_LENGTH:
            return False
        self._waiting.append(stream)
        self._arrived.set()
        return True

    def close(self) -> None:
        """End every connection: the process is gone."""
        for stream in (self._stream, *self._waiting):
            if stream is not None:
                stream.close_nowait()
        self._stream = None
        self._waiting.clear()

    async def serve(self) -> None:
        """Serve one client after the other, until cancelled."""
        while True:
            while not self._waiting:
                self._arrived = trio.Event()
                await self._arrived.wait()
            self._stream = self._waiting.popleft()
            await self._qemu.world.pause("monitor-greeting")
            self.send({"QMP": {"version": recorded.VERSION, "capabilities": ["oob"]}})
            try:
                await self._read_requests(self._stream)
            finally:
                self.is_negotiated = self._has_oob = False
                self.requests.clear()
                self._stream.close_nowait()
                self._stream = None

    async def _read_requests(self, stream: MonitorStream) -> None:
        text = JsonStream()
        while data := await stream.receive_some():
            for request in text.feed(data):
                if _is_out_of_band(request):
                    self._answer(cast("dict[str, Any]", request))
                    continue
                self.requests.append(request)
                self._dispatcher.wake()
                while len(self.requests) >= (QUEUE_LENGTH if self._has_oob else 1):
                    await self._executed.wait()

    def execute_next(self) -> None:
        """Execute the message that has waited longest."""
        self._answer(self.requests.popleft())
        self._executed.set()
        self._executed = trio.Event()

    def _answer(self, request: object) -> None:
        identity: dict[str, Any] = {}
        try:
            if isinstance(request, Malformed):
                raise QmpError(request.description)
            if not isinstance(request, dict):
                raise QmpError("QMP input must be a JSON object")
            message = cast("dict[str, Any]", request)
            identity = {"id": message["id"]} if "id" in message else {}
            _check_envelope(message, self._has_oob)
            result = self._run(message)
        except QmpError as error:
            body = {"class": error.error_class, "desc": error.description}
            self.send({"error": body} | identity)
        else:
            self.send({"return": result} | identity)

    def _run(self, request: dict[str, Any]) -> object:
        out_of_band = "exec-oob" in request
        name: str = request["exec-oob" if out_of_band else "execute"]
        arguments: dict[str, Any] = request.get("arguments", {})
        if not self.is_negotiated:
            return self._negotiate(name, arguments)
        words = f"executes {name} out of band" if out_of_band else f"executes {name}"
        note(self._qemu.actor, words, **_summary(arguments))
        return commands.execute(self._qemu, name, arguments, out_of_band=out_of_band)

    def _negotiate(self, name: str, arguments: dict[str, Any]) -> object:
        if name != "qmp_capabilities":
            raise QmpError(
                "Expecting capabilities negotiation with 'qmp_capabilities'", "CommandNotFound"
            )
        schema.check_arguments(name, arguments)
        self._has_oob = "oob" in arguments.get("enable", ())
        self.is_negotiated = True
        return {}

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message to the client, if there is one."""
        self.say(json.dumps(message).encode() + b"\r\n")

    def say(self, data: bytes) -> None:
        """Send bytes to the client, if there is one."""
        if self._stream is not None:
            self._stream.send_nowait(data)


def _is_out_of_band(request: object) -> bool:
    """Whether QEMU executes it at once, be it allowed or not."""
    return isinstance(request, dict) and "exec-oob" in request and "execute" not in request


def _check_envelope(request: Mapping[str, Any], has_oob: bool) -> None:
    """Check a message as ``qmp_dispatch_check_obj`` does."""
    verb = None
    for name in qdict_order(request):
        value = request[name]
        if name == "execute" or (name == "exec-oob" and has_oob):
            if not isinstance(value, str):
                raise QmpError(f"QMP input member '{name}' must be a string")
            if verb is not None:
                raise QmpError(f"QMP input member '{name}' clashes with '{verb}'")
            verb = name
        elif name == "arguments":
            if not isinstance(value, dict):
                raise QmpError("QMP input member 'arguments' must be an object")
        elif name != "id":
            raise QmpError(f"QMP input member '{name}' is unexpected")
    if verb is None:
        raise QmpError("QMP input lacks member 'execute'")


def _summary(arguments: Mapping[str, Any]) -> dict[str, object]:
    """The argument that says what a command is about, for notes."""
    keys = ("id", "driver", "node-name", "path")
    return {key.replace("-", "_"): arguments[key] for key in keys if key in arguments}
