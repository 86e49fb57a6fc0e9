"""Character devices: what they are, who uses them, and the ring buffers among them."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import attrs

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu.devices import Device
from pyvirt_sim.qemu.errors import QmpError
from pyvirt_sim.qemu.order import GlibTable
from pyvirt_sim.qemu.world import Listener, MonitorStream, World

# Back ends that are modelled.
KINDS: Final = ("file", "memory", "msmouse", "null", "pty", "ringbuf", "socket", "testdev")
_RING_BYTES: Final = 65536


@attrs.define(eq=False)
class Chardev:
    """A character device.

    Args:
        id: Its name.
        kind: Its back end.
        filename: QEMU's description of what is behind it, ``None`` when the host decides it.
        is_open: Whether its front end is open.
        is_taken: Whether a front end, or a multiplexer, has it.
        ring: What is in a ring buffer.
        ring_bytes: How much fits.
        listener: The socket it listens on.
        path: Where that socket is.
        is_connected: It has connected to a process that serves devices (vhost-user).
    """

    id: str
    kind: str
    filename: str | None
    is_open: bool = False
    is_taken: bool = False
    ring: bytes = b""
    ring_bytes: int = 0
    listener: Listener | None = None
    path: str | None = None
    is_connected: bool = False


class Chardevs:
    """The character devices of one machine.

    Args:
        world: The host.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._items: dict[str, Chardev] = {}
        self._order = GlibTable()
        self._terminals = 0
        # Takes the client of a socket: the name of the character device, and the connection.
        self.reader: Callable[[str, MonitorStream], bool] = refuse_client

    def put(self, item: Chardev) -> None:
        """Take in a character device of the command line."""
        self._items[item.id] = item
        self._order.add(item.id)

    def add(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """QMP ``chardev-add``.

        Raises:
            QmpError: The name is taken, or the back end cannot be had.
        """
        name, backend = str(arguments["id"]), arguments["backend"]
        if name in self._items:
            raise QmpError(f"Chardev with id '{name}' already exists")
        kind, data = str(backend["type"]), backend["data"]
        if data.keys() & {"logfile", "logappend"}:
            raise ModelGapError("logs of character devices are not modelled")
        try:
            item = self._make(name, kind, data)
        except QmpError as error:
            raise QmpError(f"Failed to add chardev '{name}': {error.description}") from None
        self.put(item)
        name = item.filename or ""
        return {"pty": name.removeprefix("pty:")} if kind == "pty" else {}

    def _make(self, name: str, kind: str, data: Mapping[str, Any]) -> Chardev:
        if kind in {"null", "testdev", "msmouse"} and not data:
            return Chardev(name, kind, kind)
        if kind in {"ringbuf", "memory"}:
            size = int(data.get("size", _RING_BYTES))
            if size < 0 or size & (size - 1):
                raise QmpError("size of ringbuf chardev must be power of two")
            if size > 1 << 24:
                raise ModelGapError("large ring buffers are not modelled")
            return Chardev(name, "ringbuf", "ringbuf", ring_bytes=size)
        if kind == "file":
            return self._make_file(name, data)
        if kind == "pty":
            self._terminals += 1
            return Chardev(name, kind, f"pty:/dev/pts/{self._terminals - 1}")
        if kind == "socket":
            return self._make_socket(name, data)
        # No other is one of `KINDS`.
        raise ModelGapError(f"chardev back end {kind} with {sorted(data)} is not modelled")

    def _make_file(self, name: str, data: Mapping[str, Any]) -> Chardev:
        if data.keys() - {"out", "append"}:
            raise ModelGapError("file character devices with an input are not modelled")
        path = str(data["out"])
        try:
            self._world.append_text(path, "")
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise QmpError(f"Could not open '{path}': {reason}") from None
        return Chardev(name, "file", "file")

    def _make_socket(self, name: str, data: Mapping[str, Any]) -> Chardev:
        is_server = data.get("server", True)
        kind = data["addr"]["type"]
        known = {"addr", "server", "wait", "reconnect", "telnet"}
        is_odd = data.get("telnet", False) or kind not in {"unix", "inet"}
        if data.keys() - known or is_odd:
            raise ModelGapError("only plain unix sockets are modelled as character devices")
        if is_server and data.get("reconnect"):
            raise QmpError("'reconnect' option is incompatible with socket in server listen mode")
        if not is_server and "wait" in data:
            raise QmpError("'wait' option is incompatible with socket in client connect mode")
        if kind == "inet":
            if not is_server or data.get("wait") or data["addr"]["data"]["port"] != "0":
                raise ModelGapError("only TCP servers on a port the kernel chooses are modelled")
            return Chardev(name, "socket", None)
        path = str(data["addr"]["data"]["path"])
        if is_server:
            if data.get("wait"):
                raise ModelGapError("a QEMU that waits for a client is not modelled")
            return self._listen(name, path)
        if self._world.serves_devices(path):
            return Chardev(name, "socket", f"unix:{path}", is_connected=True)
        if self._world.file_exists(path):
            raise ModelGapError("character devices that connect are not modelled")
        if not data.get("reconnect"):
            raise QmpError(f"Failed to connect to '{path}': No such file or directory")
        return Chardev(name, "socket", f"disconnected:unix:{path}")

    def _listen(self, name: str, path: str) -> Chardev:
        for other in self._items.values():
            # QEMU removes whatever is there before it listens; who listened before stays deaf.
            if other.listener is not None and other.path == path:
                other.listener.close(unlink=True)
                other.listener = None
        try:
            listener = self._world.listen(path, partial(self.accept, name))
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise QmpError(f"Failed to bind socket to {path}: {reason}") from None
        text = f"disconnected:unix:{path},server=on"
        return Chardev(name, "socket", text, listener=listener, path=path)

    def accept(self, name: str, stream: MonitorStream) -> bool:
        """A client connects to the socket of a character device.

        Raises:
            ModelGapError: There is nobody behind it who would read.
        """
        return self.reader(name, stream)

    def remove(self, name: str) -> None:
        """QMP ``chardev-remove``.

        Raises:
            QmpError: There is none, or somebody uses it.
        """
        item = self.find(name)
        if item.is_taken:
            raise QmpError(f"Chardev '{name}' is busy")
        if item.listener is not None:
            item.listener.close(unlink=True)
        del self._items[name]
        self._order.remove(name)

    def take_away(self, name: str) -> None:
        """The owner of a character device goes, and takes it along."""
        self.find(name).is_taken = False
        self.remove(name)

    def find(self, name: str) -> Chardev:
        """The character device of that name.

        Raises:
            QmpError: There is none.
        """
        if name not in self._items:
            raise QmpError(f"Chardev '{name}' not found")
        return self._items[name]

    def in_order(self) -> list[Chardev]:
        """All character devices, as QEMU walks them."""
        return [self._items[name] for name in self._order]

    def has(self, name: str) -> bool:
        """Whether there is a character device of that name."""
        return name in self._items

    def send_break(self, name: str) -> None:
        """QMP ``chardev-send-break``: nothing a monitor can see."""
        self.find(name)

    def claim(self, name: str, prop: str, owner: str, device: Device) -> None:
        """A device becomes the front end, until it is finalized.

        Args:
            name: The character device.
            prop: The property that names it.
            owner: Device type that QEMU names in its errors.
            device: The front end.

        Raises:
            QmpError: There is none, or another has it.
        """
        item = self._items.get(name)
        if item is None:
            raise QmpError(f"Property '{owner}.{prop}' can't find value '{name}'")
        if item.is_taken:
            raise QmpError(
                f"Property '{owner}.{prop}' can't take value '{name}': Device '{name}' is in use"
            )
        item.is_taken = True

        def release() -> None:
            item.is_taken = item.is_open = False

        device.on_finalize.append(release)

    def listing(self) -> list[dict[str, Any]]:
        """QMP ``query-chardev``; QEMU puts each in front of those it met before.

        Raises:
            ModelGapError: One listens on a port that only a real kernel can choose.
        """
        if any(item.filename is None for item in self._items.values()):
            raise ModelGapError("the port of a TCP server of the kernel's choice is not modelled")
        return [
            {"label": item.id, "filename": item.filename, "frontend-open": item.is_open}
            for item in reversed(self.in_order())
        ]

    def sockets(self) -> list[str]:
        """The ones that QMP ``query-yank`` names."""
        return [item.id for item in self._items.values() if item.kind == "socket"]

    # -- ring buffers -------------------------------------------------------------------------

    def _ring(self, name: str) -> Chardev:
        item = self._items.get(name)
        if item is None:
            raise QmpError(f"Device '{name}' not found")
        if item.kind != "ringbuf":
            raise QmpError(f"{name} is not a ringbuf device")
        if not item.ring_bytes:
            raise ModelGapError("QEMU 7.2 aborts when a ring buffer of no size is used")
        return item

    def ring_write(self, arguments: Mapping[str, Any]) -> None:
        """QMP ``ringbuf-write``."""
        item = self._ring(str(arguments["device"]))
        data = str(arguments["data"]).encode()
        if arguments.get("format") == "base64":
            try:
                data = base64.b64decode(data, validate=True)
            except binascii.Error:
                raise ModelGapError("what GLib makes of broken base64 is not modelled") from None
        item.ring = (item.ring + data)[-item.ring_bytes :]

    def ring_read(self, arguments: Mapping[str, Any]) -> str:
        """QMP ``ringbuf-read``."""
        item = self._ring(str(arguments["device"]))
        size = int(arguments["size"])
        if size <= 0:
            raise QmpError("size must be greater than zero")
        data, item.ring = item.ring[:size], item.ring[size:]
        if arguments.get("format") == "base64":
            return base64.b64encode(data).decode()
        if not data.isascii():
            raise ModelGapError(
                "reading a ring buffer in the middle of a character is not modelled"
            )
        return data.decode()


def refuse_client(_name: str, _stream: MonitorStream) -> bool:
    """Nobody is modelled who would read what a client sends.

    Raises:
        ModelGapError: Always.
    """
    raise ModelGapError("clients of character devices are not modelled")
