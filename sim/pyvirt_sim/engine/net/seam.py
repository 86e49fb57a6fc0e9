"""Where the simulated network meets Trio: underneath Trio's own socket code.

While a run is active three names inside ``trio._socket`` point here: the standard library's socket
module, the class that wraps its sockets, and the default resolver. Trio's functions run as they
are, checkpoints and errors included; what they find underneath is a `Descriptor` instead of a
kernel's.
"""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import trio
import trio._socket
from trio._socket import _SocketType

from pyvirt_sim.engine.errors import EscapeError
from pyvirt_sim.engine.fence.swap import Swap
from pyvirt_sim.engine.net.descriptor import Descriptor
from pyvirt_sim.engine.net.names import getaddrinfo, getnameinfo
from pyvirt_sim.engine.net.network import current_network, running
from pyvirt_sim.engine.net.paths import SERVED_PATHS
from pyvirt_sim.engine.where import call_site

if TYPE_CHECKING:
    from pyvirt_sim.engine.execution import Execution

__all__ = ["NetworkSeam", "SimulatedSocket"]

# What Trio imports for itself is not declared public.
_trio_socket: Any = trio._socket


def _method(name: str, wait: Callable[[Any], Awaitable[None]]) -> Any:
    """Return Trio's wrapper of a non-blocking method, around ours."""
    call = getattr(Descriptor, name)

    async def method(self: SimulatedSocket, *args: Any, **options: Any) -> Any:
        return await self._nonblocking_helper(wait, call, *args, **options)

    method.__name__ = name
    return method


class SimulatedSocket(_SocketType):
    """Trio's socket on top of a simulated descriptor."""

    _sock: Any

    def __init__(self, sock: Any) -> None:
        if not isinstance(sock, Descriptor):
            raise current_network().execution.escape(
                EscapeError(
                    "wrapping a real socket", call_site(), "make it with trio.socket.socket()"
                )
            )
        self._sock = sock
        self._did_shutdown_SHUT_WR = False
        # Trio keeps the sockets of a connection attempt in a set: no address may order it.
        self._hash = sock.number

    def __hash__(self) -> int:
        return self._hash

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor underneath, for ``trio.lowlevel.wait_readable`` and the like."""
        descriptor: Descriptor = self._sock
        return descriptor

    def dup(self) -> SimulatedSocket:
        """Return another descriptor of the same socket."""
        return SimulatedSocket(self._sock.dup())

    def is_readable(self) -> bool:
        """Tell whether reading would not block."""
        return self.descriptor.opened.is_readable

    async def accept(self) -> tuple[SimulatedSocket, Any]:
        """Return the next connection and where it comes from."""
        descriptor, address = await self._accept_descriptor()
        return SimulatedSocket(descriptor), address

    _accept_descriptor = _method("accept", trio.lowlevel.wait_readable)
    recv = _method("recv", trio.lowlevel.wait_readable)
    recv_into = _method("recv_into", trio.lowlevel.wait_readable)
    recvfrom = _method("recvfrom", trio.lowlevel.wait_readable)
    recvfrom_into = _method("recvfrom_into", trio.lowlevel.wait_readable)
    recvmsg = _method("recvmsg", trio.lowlevel.wait_readable)
    recvmsg_into = _method("recvmsg_into", trio.lowlevel.wait_readable)
    send = _method("send", trio.lowlevel.wait_writable)


def _socketpair(
    family: int | None = None,
    type: int = socket.SOCK_STREAM,  # noqa: A002 - the name socket.socketpair gives it
    proto: int = 0,
) -> tuple[Descriptor, Descriptor]:
    if family not in (None, socket.AF_UNIX):
        raise OSError("a socket pair is of the family AF_UNIX")
    first = Descriptor(socket.AF_UNIX, type, proto)
    second = Descriptor(socket.AF_UNIX, type, proto)
    first.opened.host.pair(first.opened, second.opened)
    return first, second


def _fromfd(fd: int, family: int, type: int, proto: int = 0) -> Descriptor:  # noqa: A002
    return Descriptor(family, type, proto, fileno=fd).dup()


def _stand_in() -> ModuleType:
    module = ModuleType("socket", "The standard library's socket module, with simulated sockets.")
    module.__dict__.update(vars(socket))
    module.__dict__.update(
        socket=Descriptor,
        socketpair=_socketpair,
        fromfd=_fromfd,
        getaddrinfo=getaddrinfo,
        getnameinfo=getnameinfo,
    )
    return module


class _Resolver(trio.abc.HostnameResolver):
    """Answers at once, where Trio would ask in a thread."""

    async def getaddrinfo(self, *args: Any, **options: Any) -> Any:
        """Look up a name."""
        await trio.lowlevel.checkpoint()
        return getaddrinfo(*args, **options)

    async def getnameinfo(self, *args: Any, **options: Any) -> Any:
        """Look up an address."""
        await trio.lowlevel.checkpoint()
        return getnameinfo(*args, **options)


class _ResolverSlot:
    """Stands in for Trio's run variable: ours is the resolver of who sets none."""

    def __init__(self, variable: trio.lowlevel.RunVar[Any]) -> None:
        self._variable = variable
        self._ours = _Resolver()
        self.set = variable.set

    def get(self, default: Any) -> Any:
        """Return the resolver of this run."""
        return self._variable.get(default) or self._ours


class NetworkSeam:
    """While entered, Trio's sockets are simulated, in the network of ``execution``."""

    _names: Final = Swap(
        _trio_socket.__dict__,
        {
            "_stdlib_socket": _stand_in(),
            "_SocketType": SimulatedSocket,
            "_resolver": _ResolverSlot(_trio_socket._resolver),
        },
    )

    def __init__(self, execution: Execution) -> None:
        self._execution = execution

    def __enter__(self) -> None:
        running.append(self._execution)
        self._names.enter()

    def __exit__(self, *exc_info: object) -> None:
        self._names.leave()
        network = running.pop().network
        if network is not None and network.has_files:
            SERVED_PATHS.leave()
