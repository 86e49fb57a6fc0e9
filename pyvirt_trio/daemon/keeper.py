"""The keeper: the process that manages the domains of one root between two commands.

Somebody has to hear what QEMUs tell while the user waits to type the next command. Like libvirt's
session daemon, it is started by the first client that finds none and ends by itself when nobody
needs it. However it ends, domains run on, and the next keeper reconnects to them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct

import trio

from pyvirt_trio.daemon.serve import serve_client
from pyvirt_trio.driver.hypervisor import Hypervisor
from pyvirt_trio.driver.opening import open_hypervisor
from pyvirt_trio.errors import HostError

IDLE_S = 120.0
"""Time without clients and running domains after which the keeper ends; libvirt starts its session
daemon with ``--timeout=120``."""

IDLE_CHECK_S = 2.0
MAX_CLIENTS = 64
"""Connections served at once; libvirt's session daemon accepts up to 5000 for a whole host."""

MAX_SOCKET_PATH_BYTES = 107
"""Linux limits the path of a unix socket to 107 bytes and a terminator."""


class _Keeper:
    def __init__(self, hypervisor: Hypervisor, idle_s: float) -> None:
        self._hypervisor = hypervisor
        self._idle_s = idle_s
        self._clients = 0

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve one client of the same user, if there is room."""
        if self._clients >= MAX_CLIENTS or not _is_same_user(stream):
            await trio.aclose_forcefully(stream)
            return
        self._clients += 1
        try:
            await serve_client(self._hypervisor, stream)
        finally:
            self._clients -= 1

    async def wait_idle(self) -> None:
        """Return when nobody has needed the keeper for the idle time."""
        idle_since_s = trio.current_time()
        while trio.current_time() - idle_since_s < self._idle_s:
            await trio.sleep(min(IDLE_CHECK_S, self._idle_s))
            runs = any(domain.status.is_active for domain in self._hypervisor.domains())
            if self._clients or runs:
                idle_since_s = trio.current_time()


async def keep(root: str, *, idle_s: float = IDLE_S) -> None:
    """Hold the hypervisor of ``root`` open and serve it, until SIGTERM or until nobody needs it.

    Domains run on afterwards, whether it ends by itself or by a signal.

    Raises:
        ConflictError: There is a keeper already.
        HostError: The socket cannot be made.
    """
    path = socket_path(root)
    async with open_hypervisor(f"qemu:///embed?root={root}") as hypervisor:
        with contextlib.suppress(HostError):  # a container may have neither sysfs nor netlink
            await hypervisor.follow_node_devices()
        listener = _listen(path)
        keeper = _Keeper(hypervisor, idle_s)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.serve_listeners, keeper.serve, [listener])
                nursery.start_soon(_cancel_on_signal, nursery.cancel_scope)
                await keeper.wait_idle()
                nursery.cancel_scope.cancel()
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108 - nothing else is left to do in this process


def socket_path(root: str) -> str:
    """Where the keeper of ``root`` listens.

    Raises:
        HostError: The path is too long for a unix socket.
    """
    path = f"{root}/run/pyvirt.sock"
    if len(os.fsencode(path)) > MAX_SOCKET_PATH_BYTES:
        raise HostError(f"{path} is longer than {MAX_SOCKET_PATH_BYTES} bytes: use a shorter root")
    return path


def _listen(path: str) -> trio.SocketListener:
    """A private listening socket; the root's lock is held, so a socket that is there is stale."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108 - a socket, not a file
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old_mask = os.umask(0o177)  # nothing else runs between here and the bind
    try:
        sock.bind(path)
    finally:
        os.umask(old_mask)
    sock.listen(MAX_CLIENTS)
    sock.setblocking(False)
    return trio.SocketListener(trio.socket.from_stdlib_socket(sock))


def _is_same_user(stream: trio.SocketStream) -> bool:
    data = stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _pid, uid, _gid = struct.unpack("3i", data)
    return uid in (0, os.getuid())


async def _cancel_on_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            scope.cancel()
