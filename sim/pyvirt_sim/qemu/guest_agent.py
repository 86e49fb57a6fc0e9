"""The guest's agent (``qemu-ga``): at the guest's end of the channel ``org.qemu.guest_agent.0``.

It opens its port when the system has booted, and answers one command after the other, as long as
the processors run. What goes wrong with agents is drawn, or set by a test: there may be none, it
may be slow, it may have an old answer still to deliver, and it may die in the middle of a command
and be started again.

QEMU does not take bytes from a client while nobody has the port open: they wait in the socket, and
the next agent reads them. That is where stale requests come from.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

import attrs
import trio

from pyvirt_sim.engine import note
from pyvirt_sim.qemu.agent_commands import run_command
from pyvirt_sim.qemu.agent_system import AgentError, AgentSystem
from pyvirt_sim.qemu.chardevs import refuse_client
from pyvirt_sim.qemu.world import MonitorStream

if TYPE_CHECKING:
    from pyvirt_sim.qemu.devices import Device
    from pyvirt_sim.qemu.guest import Guest

PORT_NAME: Final = "org.qemu.guest_agent.0"
RESTART_S: Final = 0.1
"""How long systemd waits before it starts a service again that has died (``RestartSec``)."""

_DELIMITER: Final = b"\xff"
_MAX_REQUEST_BYTES: Final = 64 << 20  # where QEMU's JSON lexer gives up


@attrs.define(eq=False)
class GuestAgent:
    """The agent of one guest.

    A test may steer it: what is not ``None`` replaces what the plan would draw.

    Args:
        guest: The system it runs on.
        emit: Sends an event of QEMU.
        is_absent: Nobody has installed it.
        is_stale: It delivers an answer of an earlier request before the right one.
        dies: It dies when it gets its next command, once.
        delay_s: How long it takes for a command.
    """

    guest: Guest
    emit: Callable[[str, Mapping[str, Any] | None], None]
    is_absent: bool | None = None
    is_stale: bool | None = None
    dies: bool | None = None
    delay_s: float = 0.0
    system: AgentSystem = attrs.field(factory=AgentSystem)
    _port: Device | None = None
    _asleep: Device | None = None
    _client: MonitorStream | None = None
    _changed: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)
    _buffer: bytearray = attrs.field(factory=bytearray)
    _starts: int = 0

    @property
    def is_running(self) -> bool:
        """Whether it has its port open."""
        return self._port is not None

    # -- what QEMU and the guest tell -------------------------------------------------------------

    def accept(self, chardev: str, stream: MonitorStream) -> bool:
        """A client has connected to the channel's socket; QEMU takes one at a time."""
        port = self._find_port()
        if port is None or port.links["chardev"] != chardev:
            return refuse_client(chardev, stream)
        if self._client is not None:
            return False
        self._client = stream
        self.guest.spawn(self._serve, stream, name=f"{self.guest.actor}/agent's channel")
        return True

    def system_is_up(self) -> None:
        """The system has booted: its services start."""
        if self._draws(self.is_absent, "agent-absent"):
            note(self.guest.actor, "has no agent")
            return
        self._start()

    def system_sleeps(self) -> None:
        """A driver closes its ports before the machine sleeps; the agent has its own all along."""
        port = self._asleep = self._port
        self._port = None
        if port is not None:
            self._tell(port, is_open=False)

    def system_wakes(self) -> None:
        """And opens them again, when the system gets to it."""
        if self._asleep is not None:
            self.guest.spawn(self._wake, self._asleep, name=f"{self.guest.actor}/agent wakes")

    def machine_is_reset(self) -> None:
        """Every virtio port is closed by a reset."""
        self.system = AgentSystem()
        self._asleep = None
        self.stop()

    def port_is_gone(self, port: Device) -> None:
        """The device was unplugged; QEMU says nothing of its port."""
        if port is self._port:
            self._port = None

    # -- the agent --------------------------------------------------------------------------------

    def _start(self) -> None:
        port = self._find_port()
        if port is None or self._port is not None:
            return
        self._starts += 1
        self._buffer.clear()
        self._port = port
        port.on_unrealize.append(lambda: self.port_is_gone(port))
        note(self.guest.actor, "starts its agent")
        self._tell(port, is_open=True)
        self._changed.unpark_all()

    def stop(self) -> None:
        """It ends, and its port is closed."""
        port, self._port = self._port, None
        if port is not None:
            note(self.guest.actor, "has no agent any more")
            self._tell(port, is_open=False)

    def _tell(self, port: Device, *, is_open: bool) -> None:
        self.guest.machine.tree.chardevs.find(port.links["chardev"]).is_open = is_open
        if port.id is not None:  # QEMU keeps quiet about a port without a name
            self.emit("VSERPORT_CHANGE", {"open": is_open, "id": port.id})

    def _find_port(self) -> Device | None:
        for device in self.guest.machine.tree.devices.values():
            if device.driver == "virtserialport" and device.value("name") == PORT_NAME:
                return device if "chardev" in device.links else None
        return None

    async def _serve(self, stream: MonitorStream) -> None:
        """Read what the client sends while somebody has the port open."""
        try:
            await self._opened()
            while data := await stream.receive_some():
                await self._opened()  # if it was closed meanwhile, the next agent reads it
                await self._read(stream, data)
                await self._opened()
        finally:
            self._client = None
            stream.close_nowait()

    async def _opened(self) -> None:
        while self._port is None:
            await self._changed.park()

    async def _read(self, stream: MonitorStream, data: bytes) -> None:
        before, delimiter, after = data.rpartition(_DELIMITER)
        if delimiter:
            self._buffer.clear()  # what came before is no request; its complaint is of no interest
            note(self.guest.actor, "agent forgets what it had", count=len(before))
        self._buffer += after
        assert len(self._buffer) <= _MAX_REQUEST_BYTES, "a request without end"
        *lines, rest = bytes(self._buffer).split(b"\n")
        self._buffer[:] = rest
        start = self._starts
        for line in lines:
            if line.strip():
                await self._answer(stream, line)
            if start != self._starts or self._port is None:
                return  # it has died, and its input with it

    async def _answer(self, stream: MonitorStream, line: bytes) -> None:
        start, guest = self._starts, self.guest
        request = _parse(line)
        command = str(request.get("execute"))
        await guest.world.pause("agent")
        await trio.sleep(self.delay_s)
        if not await guest.is_working() or start != self._starts or self._port is None:
            return
        if not command.startswith("guest-sync") and self._draws(self.dies, "agent-dies"):
            self.dies = None
            note(guest.actor, "agent dies", command=command)
            self.stop()
            guest.spawn(self._start_again, name=f"{guest.actor}/agent's restart")
            return
        if not command.startswith("guest-sync") and self._draws(self.is_stale, "agent-stale"):
            stream.send_nowait(_encode({"return": {"stale": True}, "id": "an earlier request"}))
        note(guest.actor, "agent does", command=command)
        try:
            answer = run_command(self.system, guest, command, request.get("arguments") or {})
        except AgentError as error:
            answer = {"error": {"class": error.kind, "desc": error.description}}
        if answer is None:
            return  # such a command answers only when it fails
        if "id" in request:
            answer["id"] = request["id"]
        prefix = _DELIMITER if command == "guest-sync-delimited" else b""
        stream.send_nowait(prefix + _encode(answer))

    async def _wake(self, port: Device) -> None:
        await self.guest.world.pause("agent")
        if port is self._asleep and port.in_tree and await self.guest.is_working():
            self._asleep = None
            self._port = port
            self._tell(port, is_open=True)
            self._changed.unpark_all()

    async def _start_again(self) -> None:
        await trio.sleep(RESTART_S)
        if await self.guest.is_working():
            self._start()

    def _draws(self, wanted: bool | None, site: str) -> bool:
        return self.guest.world.happens(site) if wanted is None else wanted


def _parse(line: bytes) -> dict[str, Any]:
    try:
        request: object = json.loads(line)
    except ValueError:
        return {}
    return cast("dict[str, Any]", request) if isinstance(request, dict) else {}


def _encode(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"
