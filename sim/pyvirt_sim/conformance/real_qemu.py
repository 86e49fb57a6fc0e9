"""A real QEMU of this machine: its process, its monitor, and the serial port of its guest."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import IO, Any, Final

from pyvirt_sim.conformance.program import (
    Message,
)
from pyvirt_sim.conformance.real import bare
from pyvirt_sim.conformance.shapes import MONITOR, SERIAL
from pyvirt_sim.conformance.wire import (
    NEGOTIATION_ID,
    is_reply_to,
    negotiation,
)

PATIENCE_S: Final = 3.0
"""How long the real QEMU may take to say what ours has said, on a busy machine."""
_LAST_WRITE_S: Final = 0.02
"""How long to wait for the bare guest to acknowledge what may have stopped it."""


class RealQemu:
    """A running QEMU and one connection to its monitor. Made by `start_qemu`.

    Attributes:
        process: It.
        heard: Every message of the present connection that nobody has taken yet.
        is_closed: Whether QEMU has closed the connection.
        patience_s: How long `wait` waits when it is not told.
    """

    def __init__(self, process: subprocess.Popen[bytes], folder: str) -> None:
        self.process = process
        self._path = f"{folder}/{MONITOR}"
        self._serial = socket.socket(socket.AF_UNIX)
        self._serial.connect(f"{folder}/{SERIAL}")
        self.heard: list[Message] = []
        self.is_closed = False
        self.patience_s = PATIENCE_S
        self._stream = socket.socket(socket.AF_UNIX)
        self._rest = b""

    def connect(self) -> None:
        """Open a connection to the monitor, closing the one there was."""
        self._stream.close()
        self._stream = socket.socket(socket.AF_UNIX)
        self._rest = b""
        try:
            self._stream.connect(self._path)
            self.is_closed = False
        except OSError:  # the process is gone, and its socket with it
            self.is_closed = True

    def close(self) -> None:
        """Close both connections."""
        self._stream.close()
        self._serial.close()

    def negotiate(self, enable: tuple[str, ...] = ()) -> list[Message]:
        """Read the greeting, negotiate, and take what QEMU has said."""
        self.wait(lambda heard: len(heard) >= 1)
        self.send(negotiation(enable))
        self.wait(lambda heard: any(is_reply_to(message, NEGOTIATION_ID) for message in heard))
        return self.take()

    def send(self, data: bytes) -> None:
        """Send bytes; a QEMU that is gone does not hear them."""
        with contextlib.suppress(OSError):
            self._stream.sendall(data)

    def take(self) -> list[Message]:
        """The messages heard, which are forgotten here."""
        taken, self.heard = self.heard, []
        return taken

    def wait(
        self, enough: Callable[[list[Message]], bool], patience_s: float | None = None
    ) -> None:
        """Listen until ``enough`` says so, until QEMU closes the connection or patience ends."""
        deadline = _now() + (self.patience_s if patience_s is None else patience_s)
        while not enough(self.heard) and not self.is_closed:
            left = deadline - _now()
            if left <= 0:
                return
            self._stream.settimeout(left)
            try:
                data = self._stream.recv(1 << 16)
            except TimeoutError:
                return
            except OSError:
                data = b""
            self.is_closed = not data
            *lines, self._rest = (self._rest + data).split(b"\r\n")
            self.heard += [json.loads(line) for line in lines]

    def execute(self, command: str, **arguments: Any) -> Message:
        """Execute a command and wait for its reply; events before it are forgotten."""
        self.send(json.dumps({"execute": command, "arguments": arguments, "id": command}).encode())
        self.wait(lambda heard: any(is_reply_to(message, command) for message in heard))
        return next(message for message in self.take() if is_reply_to(message, command))

    def act(self, action: str) -> None:
        """Let the bare guest do something, and wait until it has; not when it stands still."""
        if not self._is_running():
            return
        writes = bare.ACTIONS[action]
        with contextlib.suppress(OSError):
            self._serial.sendall(bare.orders(writes))
            self._serial.settimeout(PATIENCE_S)
            for _ in writes[:-1]:
                self._serial.recv(1)
            # The last one may be what stops it.
            self._serial.settimeout(_LAST_WRITE_S)
            self._serial.recv(1)

    def wait_for_line(self, line: str, patience_s: float) -> None:
        """Listen on the serial port until the guest has printed a line there."""
        self._serial.settimeout(patience_s)
        text = b""
        while line.encode() not in text:
            data = self._serial.recv(1 << 12)
            if not data:
                raise EOFError(f"QEMU ended before its guest said {line!r}")
            text += data

    def _is_running(self) -> bool:
        self.send(b'{"execute":"query-status","id":"arm"}')
        self.wait(lambda heard: any(is_reply_to(message, "arm") for message in heard))
        answers = [message for message in self.heard if is_reply_to(message, "arm")]
        self.heard = [message for message in self.heard if not is_reply_to(message, "arm")]
        return bool(answers) and bool(answers[0]["return"]["running"])


def _now() -> float:
    return time.perf_counter()


@contextmanager
def start_qemu(
    argv: Callable[[str, str], Sequence[str]], folder: str, log: IO[bytes]
) -> Generator[RealQemu]:
    """Start a QEMU; its end is that of the block.

    Args:
        argv: Its command line, given the options that make the chardevs of monitor and serial port.
        folder: For their sockets.
        log: Takes what it prints.
    """
    with _listener(folder, MONITOR) as monitor, _listener(folder, SERIAL) as serial:
        command = argv(_chardev(MONITOR, monitor), _chardev(SERIAL, serial))
        fds = (monitor.fileno(), serial.fileno())
        process = subprocess.Popen(
            command, pass_fds=fds, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        qemu = RealQemu(process, folder)
    try:
        qemu.connect()
        yield qemu
    finally:
        qemu.close()
        process.kill()
        process.wait()


def _listener(folder: str, name: str) -> socket.socket:
    # Made here and handed on, so that nobody need wait for QEMU to make it.
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{folder}/{name}")
    listener.listen(1)
    return listener


def _chardev(name: str, listener: socket.socket) -> str:
    return f"socket,id={name},fd={listener.fileno()},server=on,wait=off"
