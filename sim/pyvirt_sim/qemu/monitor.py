"""One QMP monitor: greeting, negotiation, commands in and out of band, events.

Facts of QEMU 7.2 relied on here: one client at a time, the next waits in the socket's backlog;
events before negotiation are dropped; commands in band are executed one after the other;
out-of-band commands overtake them; without negotiated ``oob`` the monitor reads no further while
one waits.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

import trio

from pyvirt_sim.engine import note
from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu import commands, recorded
from pyvirt_sim.qemu.errors import QmpError
from pyvirt_sim.qemu.framing import JsonSplitter
from pyvirt_sim.qemu.world import MonitorStream

if TYPE_CHECKING:
    from pyvirt_sim.qemu.process import QemuProcess

# QEMU suspends reading at this many waiting commands (QMP_REQ_QUEUE_LEN_MAX).
QUEUE_LENGTH: Final = 8
# The length of the backlog QEMU listens with is 1: one client may wait behind the one served.
BACKLOG_LENGTH: Final = 1

Request = dict[str, Any]


class Monitor:
    """The monitor of one QEMU process.

    Args:
        qemu: The process.
    """

    def __init__(self, qemu: QemuProcess) -> None:
        self._qemu = qemu
        self._waiting: deque[MonitorStream] = deque()
        self._arrived = trio.Event()
        self._stream: MonitorStream | None = None
        self._is_negotiated = False
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

    def emit(self, name: str, data: Mapping[str, Any] | None) -> None:
        """Send an event, if a client is there and has negotiated."""
        if name not in recorded.EVENTS:
            raise AssertionError(f"QEMU has no event {name}")
        note(self._qemu.actor, name, **dict(data or {}))
        if not self._is_negotiated:
            return
        seconds, microseconds = divmod(
            round(self._qemu.world.wall_clock_s() * 1_000_000), 1_000_000
        )
        message: dict[str, Any] = {
            "timestamp": {"seconds": seconds, "microseconds": microseconds},
            "event": name,
        }
        if data is not None:
            message["data"] = dict(data)
        self._send(message)

    async def serve(self) -> None:
        """Serve one client after the other, until cancelled."""
        while True:
            while not self._waiting:
                self._arrived = trio.Event()
                await self._arrived.wait()
            self._stream = self._waiting.popleft()
            await self._qemu.world.pause("monitor-greeting")
            self._send({"QMP": {"version": recorded.VERSION, "capabilities": ["oob"]}})
            try:
                await self._serve_client(self._stream)
            finally:
                self._is_negotiated = self._has_oob = False
                self._stream.close_nowait()
                self._stream = None

    async def _serve_client(self, stream: MonitorStream) -> None:
        # The command being executed counts as waiting, hence one less.
        send, receive = trio.open_memory_channel[Request](QUEUE_LENGTH - 1)
        splitter = JsonSplitter()
        idle = _Idle()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._dispatch, receive, idle)
            while data := await stream.receive_some():
                for text in splitter.feed(data):
                    request = self._parse(text)
                    if request is not None:
                        idle.busy()
                        await send.send(request)
                        if not self._has_oob:
                            await idle.wait()
            nursery.cancel_scope.cancel()

    def _parse(self, text: bytes) -> Request | None:
        """Check one message; answer it here when it is wrong or runs out of band."""
        try:
            request = json.loads(text)
        except ValueError as error:
            raise ModelGapError(
                f"QEMU's answer to malformed JSON is not modelled: {error}"
            ) from None
        try:
            _check_envelope(request, self._has_oob)
        except QmpError as error:
            self._reply(request, error)
            return None
        if "exec-oob" not in request:
            return dict(request)
        self._answer(request, self._run_out_of_band)
        return None

    async def _dispatch(self, receive: trio.MemoryReceiveChannel[Request], idle: _Idle) -> None:
        async for request in receive:
            await self._qemu.world.pause("monitor-command")
            self._answer(request, self._run)
            idle.done()

    def _answer(self, request: Request, run: Callable[[Request], object]) -> None:
        try:
            result = run(request)
        except QmpError as error:
            self._reply(request, error)
        else:
            self._send({"return": result} | _id_of(request))

    def _run(self, request: Request) -> object:
        name, arguments = request["execute"], request.get("arguments", {})
        if not self._is_negotiated:
            if name != "qmp_capabilities":
                raise QmpError(
                    "Expecting capabilities negotiation with 'qmp_capabilities'", "CommandNotFound"
                )
            self._has_oob = commands.check_capabilities(arguments)
            self._is_negotiated = True
            return {}
        note(self._qemu.actor, f"executes {name}", **_summary(arguments))
        return commands.execute(self._qemu, name, arguments)

    def _run_out_of_band(self, request: Request) -> object:
        name = request["exec-oob"]
        if not self._is_negotiated:
            return self._run({"execute": name})
        if not commands.find(name).allows_oob:
            raise QmpError(f"The command {name} does not support OOB")
        note(self._qemu.actor, f"executes {name} out of band")
        return commands.execute(self._qemu, name, request.get("arguments", {}))

    def _reply(self, request: object, error: QmpError) -> None:
        body = {"class": error.error_class, "desc": error.description}
        self._send({"error": body} | _id_of(request))

    def _send(self, message: Mapping[str, Any]) -> None:
        if self._stream is not None:
            self._stream.send_nowait(json.dumps(message).encode() + b"\r\n")


class _Idle:
    """Knows whether a command is under way."""

    def __init__(self) -> None:
        self._under_way = 0
        self._event = trio.Event()

    def busy(self) -> None:
        self._under_way += 1

    def done(self) -> None:
        self._under_way -= 1
        if not self._under_way:
            self._event.set()
            self._event = trio.Event()

    async def wait(self) -> None:
        while self._under_way:
            await self._event.wait()


def _check_envelope(request: object, has_oob: bool) -> None:
    """Check a message as ``qmp_dispatch_check_obj`` does."""
    if not isinstance(request, dict):
        raise QmpError("QMP input must be a JSON object")
    for name, value in cast("dict[str, object]", request).items():
        if name == "execute" or (name == "exec-oob" and has_oob):
            if not isinstance(value, str):
                raise QmpError(f"QMP input member '{name}' must be a string")
            if "execute" in request and "exec-oob" in request:
                raise QmpError("QMP input member 'execute' clashes with 'exec-oob'")
        elif name == "arguments":
            if not isinstance(value, dict):
                raise QmpError("QMP input member 'arguments' must be an object")
        elif name != "id":
            raise QmpError(f"QMP input member '{name}' is unexpected")
    if "execute" not in request and "exec-oob" not in request:
        raise QmpError("QMP input lacks member 'execute'")


def _id_of(request: object) -> dict[str, Any]:
    return {"id": request["id"]} if isinstance(request, dict) and "id" in request else {}


def _summary(arguments: Mapping[str, Any]) -> dict[str, object]:
    """The argument that says what a command is about, for notes."""
    keys = ("id", "driver", "node-name", "path")
    return {key.replace("-", "_"): arguments[key] for key in keys if key in arguments}
