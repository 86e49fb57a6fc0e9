"""A descriptor of a simulated socket: answers as a non-blocking ``socket.socket`` does.

Trio's own socket code runs on top of it unchanged; only the kernel underneath is replaced.
"""

# ruff: noqa: D102 - each method is that of socket.socket, and documented there

from __future__ import annotations

import errno
import operator
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from pyvirt_sim.engine.errors import EscapeError
from pyvirt_sim.engine.incarnation import is_dead_here
from pyvirt_sim.engine.net.endpoint import Endpoint, os_error
from pyvirt_sim.engine.net.listening import Listening
from pyvirt_sim.engine.net.network import Network, current_network
from pyvirt_sim.engine.net.opensocket import OpenSocket
from pyvirt_sim.engine.net.paths import SERVED_PATHS
from pyvirt_sim.engine.net.ports import seen_as
from pyvirt_sim.engine.where import call_site

if TYPE_CHECKING:
    from pyvirt_sim.engine.net.host import Address

__all__ = ["Descriptor"]

_FAMILIES: Final = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)
# Flags in the type that only concern real descriptors.
_TYPE_FLAGS: Final = socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
_READ_FLAGS: Final = int(socket.MSG_PEEK | socket.MSG_DONTWAIT | socket.MSG_WAITALL)
_WRITE_FLAGS: Final = int(socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


class Descriptor:
    """A number that stands for a socket. It is never that of a real file: mixing them up fails.

    Several objects may hold one number, as several of Python's socket objects may.
    """

    def __init__(
        self,
        family: int = socket.AF_INET,
        type: int = socket.SOCK_STREAM,  # noqa: A002 - the name socket.socket gives it
        proto: int = 0,
        fileno: int | None = None,
        *,
        opened: OpenSocket | None = None,
    ) -> None:
        network = current_network()
        if is_dead_here():
            raise os_error(errno.ENETDOWN)
        if fileno is not None:
            opened = network.opened(fileno)
            if opened is None:
                raise _escape(network, "a socket made from a real file descriptor")
        elif opened is None:
            opened = OpenSocket(network.here(), *_checked(network, family, type, proto))
        self.network = network
        self.number = network.new_descriptor(opened) if fileno is None else fileno
        self.family = opened.family
        self.type = opened.kind
        self.proto = opened.protocol
        self._is_inheritable = False

    # -- what every descriptor can do ----------------------------------------------------------

    def __repr__(self) -> str:
        return f"<socket.socket fd={self.number}, family={self.family}, type={self.type}>"

    @property
    def opened(self) -> OpenSocket:
        """The socket behind it.

        Raises:
            OSError: EBADF, the descriptor is closed.
        """
        opened = self.network.opened(self.number)
        if opened is None:
            raise os_error(errno.EBADF)
        opened.touch()
        return opened

    def fileno(self) -> int:
        return self.number

    def setblocking(self, flag: bool) -> None:
        """It never blocks."""

    def get_inheritable(self) -> bool:
        return self._is_inheritable

    def set_inheritable(self, inheritable: bool) -> None:
        self._is_inheritable = bool(inheritable)

    def dup(self) -> Descriptor:
        return Descriptor(opened=self.opened)

    def detach(self) -> int:
        number, self.number = self.number, -1
        return number

    def close(self) -> None:
        self.network.close(self.detach())

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # -- options and names ---------------------------------------------------------------------

    def getsockopt(self, level: int, optname: int, buflen: int = 0) -> int | bytes:
        opened = self.opened
        if level == socket.SOL_SOCKET:
            answer = {
                socket.SO_TYPE: lambda: int(opened.kind),
                socket.SO_DOMAIN: lambda: int(opened.family),
                socket.SO_PROTOCOL: lambda: opened.protocol,
                socket.SO_ACCEPTCONN: lambda: int(opened.listening is not None),
                socket.SO_ERROR: self._take_error,
            }.get(optname)
            if answer is not None:
                return answer().to_bytes(4, "little")[:buflen] if buflen else answer()
        return opened.options.read(level, optname, buflen)

    def _take_error(self) -> int:
        end = self.opened.endpoint
        return 0 if end is None else end.take_error()

    def setsockopt(self, level: int, optname: int, value: Any, optlen: int | None = None) -> None:
        opened = self.opened
        opened.options.write(level, optname, bytes(optlen or 0) if value is None else value)

    def getsockname(self) -> Address:
        opened = self.opened
        if opened.local is not None:
            return opened.local
        return {socket.AF_INET: ("0.0.0.0", 0), socket.AF_INET6: ("::", 0, 0, 0)}.get(
            opened.family, ""
        )

    def getpeername(self) -> Address:
        opened = self.opened
        end = opened.endpoint
        if end is None or not end.is_connected or end.is_reset:
            raise os_error(errno.ENOTCONN)
        return seen_as(opened.family, end.remote)

    # -- listening and connecting --------------------------------------------------------------

    def bind(self, address: Address) -> None:
        opened = self.opened
        opened.host.bind(opened, address)
        if opened.family == socket.AF_UNIX and not self.network.has_files:
            self.network.has_files = True
            SERVED_PATHS.enter()

    def listen(self, backlog: int = 128) -> None:
        opened = self.opened
        if opened.endpoint is not None:
            raise os_error(errno.EINVAL)
        if opened.listening is not None:
            opened.listening.backlog = max(0, backlog)
            return
        if opened.local is None:
            if opened.family == socket.AF_UNIX:
                raise os_error(errno.EINVAL)
            opened.host.bind(opened, self.getsockname())
        if not opened.host.ports.may_listen(opened):
            raise os_error(errno.EADDRINUSE)
        opened.listening = Listening(opened, max(0, backlog))

    def accept(self) -> tuple[Descriptor, Address]:
        opened = self.opened
        if opened.listening is None:
            raise os_error(errno.EINVAL)
        end = opened.listening.accept()
        if end is None:
            raise BlockingIOError(errno.EAGAIN, "nobody has connected yet")
        accepted = OpenSocket(opened.host, opened.family, opened.kind, opened.protocol)
        opened.options.copy_to(accepted.options)
        accepted.local = seen_as(opened.family, end.local)
        accepted.endpoint, end.owner, end.is_reported = end, accepted, True
        return Descriptor(opened=accepted), seen_as(opened.family, end.remote)

    def connect(self, address: Address) -> None:
        opened = self.opened
        if opened.listening is not None:
            raise os_error(errno.EISCONN)
        if opened.endpoint is None:
            # Its port is the next one that is free, whoever else connects from here.
            if opened.host.connect(opened, address).is_local:
                return
            # A kernel says so even when the answer is there already, as over loopback.
            raise BlockingIOError(errno.EINPROGRESS, "connecting")
        self._reconnect(opened, opened.endpoint)

    def _reconnect(self, opened: OpenSocket, end: Endpoint) -> None:
        """Answer to ``connect`` on a socket that is connected, connecting or has failed to.

        Linux: the first call after a connection attempt tells how that went.
        """
        if end.is_connected:
            if end.is_reported or end.is_local:
                raise os_error(errno.EISCONN)
            end.is_reported = True
            return
        if not end.is_reset:
            raise os_error(errno.EALREADY)
        opened.endpoint = None
        raise os_error(end.take_error() or errno.ECONNABORTED)

    def shutdown(self, how: int) -> None:
        end = self.opened.endpoint
        if end is None or not end.is_connected or end.is_reset:
            raise os_error(errno.ENOTCONN)
        if how not in (socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR):
            raise os_error(errno.EINVAL)
        if how != socket.SHUT_WR:
            end.stop_reading()
        if how != socket.SHUT_RD:
            end.send_fin()

    # -- bytes ---------------------------------------------------------------------------------

    def _connection(self, otherwise: int) -> Endpoint:
        end = self.opened.endpoint
        if end is None:
            raise os_error(otherwise)
        return end

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        self._refuse_flags(flags, _READ_FLAGS)
        bufsize = operator.index(bufsize)  # a wrong type is noticed before anything blocks
        if bufsize < 0:
            raise ValueError("negative buffersize in recv")
        # Linux: a Unix socket that was never connected is "invalid", a TCP socket "not connected".
        is_unix = self.family == socket.AF_UNIX
        end = self._connection(errno.EINVAL if is_unix else errno.ENOTCONN)
        return end.read(bufsize, peek=bool(flags & socket.MSG_PEEK))

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        with memoryview(buffer) as view, view.cast("B") as target:
            data = self.recv(nbytes or len(target), flags)
            if len(data) > len(target):
                raise ValueError("buffer too small for requested bytes")
            target[: len(data)] = data
            return len(data)

    def recvfrom(self, bufsize: int, flags: int = 0) -> tuple[bytes, Address]:
        return self.recv(bufsize, flags), None

    def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Address]:
        return self.recv_into(buffer, nbytes, flags), None

    def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0
    ) -> tuple[bytes, list[Any], int, Address]:
        del ancbufsize  # nothing comes beside the bytes
        return self.recv(bufsize, flags), [], 0, None

    def recvmsg_into(
        self, buffers: Iterable[Any], ancbufsize: int = 0, flags: int = 0
    ) -> tuple[int, list[Any], int, Address]:
        views = [memoryview(buffer).cast("B") for buffer in buffers]
        data, extras, end, source = self.recvmsg(
            sum(len(view) for view in views), ancbufsize, flags
        )
        position = 0
        for view in views:
            part = data[position : position + len(view)]
            view[: len(part)] = part
            position += len(part)
        return len(data), extras, end, source

    def send(self, data: Any, flags: int = 0) -> int:
        self._refuse_flags(flags, _WRITE_FLAGS)
        is_unix = self.family == socket.AF_UNIX
        end = self._connection(errno.ENOTCONN if is_unix else errno.EPIPE)
        with memoryview(data) as view, view.cast("B") as flat:
            return end.write(flat)

    def sendto(self, data: Any, *rest: Any) -> int:
        """On a stream the address is not looked at, unless there is no connection."""
        self._connection(errno.ENOTCONN if self.family == socket.AF_UNIX else errno.EPIPE)
        return self.send(data, rest[0] if len(rest) == 2 else 0)

    def sendmsg(
        self,
        buffers: Iterable[Any],
        ancdata: Iterable[Any] = (),
        flags: int = 0,
        address: Address | None = None,
    ) -> int:
        del address
        if list(ancdata):
            raise _escape(self.network, "sending file descriptors or credentials")
        return self.send(b"".join(bytes(buffer) for buffer in buffers), flags)

    def _refuse_flags(self, flags: int, known: int) -> None:
        if flags & ~known:
            raise os_error(errno.EOPNOTSUPP)


def _checked(network: Network, family: int, kind: int, proto: int) -> tuple[int, int, int]:
    """Return what kind of socket is asked for, or say why there is none."""
    kind &= ~_TYPE_FLAGS
    if family not in _FAMILIES:
        raise os_error(errno.EAFNOSUPPORT)
    if kind != socket.SOCK_STREAM:
        raise _escape(network, f"a socket of type {socket.SocketKind(kind).name}")
    own = 0 if family == socket.AF_UNIX else socket.IPPROTO_TCP
    if proto not in (0, own):
        raise os_error(errno.EPROTONOSUPPORT)
    return family, kind, proto


def _escape(network: Network, what: str) -> EscapeError:
    return network.execution.escape(
        EscapeError(what, call_site(), "only stream sockets are simulated: TCP, Unix and pairs")
    )
