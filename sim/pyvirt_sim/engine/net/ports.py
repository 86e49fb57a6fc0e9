"""The ports of one machine: who is bound where, who clashes with whom, who gets a connection."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterable
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pyvirt_sim.engine.net.endpoint import os_error
from pyvirt_sim.engine.net.plan import TIME_WAIT_S

if TYPE_CHECKING:
    from pyvirt_sim.engine.net.opensocket import OpenSocket

__all__ = ["WILDCARDS", "Ports", "address_of", "seen_as", "unmapped"]

IPAddress: TypeAlias = tuple[Any, ...]
WILDCARDS: Final = ("0.0.0.0", "::")
# IANA's range of ports for outgoing connections; handed out one after the other.
FIRST_PORT: Final = 49152
LAST_PORT: Final = 65535


class Ports:
    """Decides as Linux does which sockets may share a port.

    Two sockets clash when their addresses overlap, unless both set SO_REUSEPORT, or both set
    SO_REUSEADDR and the older one does not listen. A connection that this machine ended first
    keeps its address busy for a minute, unless it and the new socket both set SO_REUSEADDR.
    """

    def __init__(
        self, sockets: Callable[[], Iterable[OpenSocket]], now_s: Callable[[], float]
    ) -> None:
        self._sockets = sockets
        self._now_s = now_s
        self._time_wait: dict[IPAddress, tuple[float, bool]] = {}
        self._next = FIRST_PORT

    def _bound(self) -> Iterable[tuple[OpenSocket, IPAddress]]:
        for opened in self._sockets():
            if opened.ip_address is not None:
                yield opened, opened.ip_address

    def bind(self, opened: OpenSocket, address: IPAddress) -> None:
        """Give ``opened`` this address, with a free port for port 0."""
        ip, port, *rest = address
        if port == 0:
            port = self.free()
        elif self._clashes(opened, ip, port):
            raise os_error(errno.EADDRINUSE)
        opened.local = address_of(ip, port, rest)

    def free(self) -> int:
        """Return a port that nobody uses."""
        busy = {address[1] for _, address in self._bound()}
        for port in chain(range(self._next, LAST_PORT + 1), range(FIRST_PORT, self._next)):
            if port not in busy:
                self._next = port + 1 if port < LAST_PORT else FIRST_PORT
                return port
        raise os_error(errno.EADDRINUSE)

    def linger(self, address: IPAddress, *, reuses_address: bool) -> None:
        """A connection from ``address`` was ended from this side."""
        self._time_wait[address] = self._now_s() + TIME_WAIT_S, reuses_address

    def forget(self) -> None:
        """The machine starts anew."""
        self._time_wait.clear()

    def may_listen(self, opened: OpenSocket) -> bool:
        """Tell whether no other socket listens on the address of ``opened``."""
        if opened.ip_address is None:
            return True
        ip, port = opened.ip_address[:2]
        return not any(
            other.listening is not None and _clash(opened, ip, port, other, address)
            for other, address in self._bound()
        )

    def listener(self, ip: str, port: int) -> OpenSocket | None:
        """Return who listens on this address; the most specific one wins."""
        fitting = [
            (_rank(opened, address[0], ip), opened)
            for opened, address in self._bound()
            if opened.listening is not None and address[1] == port
        ]
        rank, found = max(fitting, key=lambda item: item[0], default=(0, None))
        return found if rank else None

    def _clashes(self, opened: OpenSocket, ip: str, port: int) -> bool:
        if any(_clash(opened, ip, port, other, address) for other, address in self._bound()):
            return True
        now_s = self._now_s()
        self._time_wait = {key: one for key, one in self._time_wait.items() if one[0] > now_s}
        return any(
            key[1] == port
            and (ip in WILDCARDS or key[0] == ip)
            and not (reused and opened.reuses_address)
            for key, (_, reused) in self._time_wait.items()
        )


def address_of(ip: str, port: int, rest: Iterable[int] = ()) -> IPAddress:
    """Return an address as Python writes it."""
    return (ip, port, *(*rest, 0, 0)[:2]) if ":" in ip else (ip, port)


def unmapped(ip: str) -> str:
    """Return the IPv4 address in ``::ffff:1.2.3.4``, or ``ip`` itself."""
    return ip.removeprefix("::ffff:") if "." in ip else ip


def seen_as(family: int, address: Any) -> Any:
    """Return ``address`` as a socket of ``family`` shows it: IPv6 sockets show IPv4 mapped."""
    if family != socket.AF_INET6 or len(address) != 2:
        return address
    return (f"::ffff:{address[0]}", address[1], 0, 0)


def _clash(opened: OpenSocket, ip: str, port: int, other: OpenSocket, address: IPAddress) -> bool:
    other_ip, other_port = address[:2]
    if other is opened or other_port != port:
        return False
    if opened.reuses_port and other.reuses_port:
        return False
    if opened.reuses_address and other.reuses_address and other.listening is None:
        return False
    if ip == other_ip:
        return True
    if opened.family != other.family:
        # Only "::" that takes IPv4 as well meets an IPv4 address.
        wide, wide_ip = (opened, ip) if opened.family == socket.AF_INET6 else (other, other_ip)
        return wide_ip == "::" and not wide.is_ipv6_only
    return ip in WILDCARDS or other_ip in WILDCARDS


def _rank(listener: OpenSocket, own: str, wanted: str) -> int:
    """Return how well ``listener``, bound to ``own``, fits a request to ``wanted``; 0: not."""
    if own == wanted:
        return 3
    if own in WILDCARDS and (":" in own) == (":" in wanted):
        return 2
    return int(own == "::" and not listener.is_ipv6_only)
