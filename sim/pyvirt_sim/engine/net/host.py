"""The network stack of one simulated machine."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Any, TypeAlias

from pyvirt_sim.engine.incarnation import Incarnation
from pyvirt_sim.engine.net.endpoint import Endpoint, os_error
from pyvirt_sim.engine.net.files import SocketFiles
from pyvirt_sim.engine.net.ports import WILDCARDS, Ports, address_of, seen_as, unmapped
from pyvirt_sim.engine.net.wire import Wire, touch_everything

if TYPE_CHECKING:
    from pyvirt_sim.engine.net.network import Network
    from pyvirt_sim.engine.net.opensocket import OpenSocket

__all__ = ["Address", "Host"]

# As Python writes it: (ip, port), (ip, port, flow, scope), or a path.
Address: TypeAlias = Any


class Host:
    """One machine on the network. ``Node`` gives it tasks; on its own it is just an address.

    Attributes:
        network: the network it belongs to.
        name: its host name.
        addresses: its IP addresses, the first is the one it sends from.
        is_down: it has crashed and not started again: nothing reaches it, nothing answers.
        incarnation: its present life.
        ports: who is bound to which port.
        files: its socket files.
        wire: its ports, files and listeners, as steps have them in common.
    """

    def __init__(self, network: Network, name: str, addresses: tuple[str, ...]) -> None:
        self.network = network
        self.name = name
        self.addresses = addresses
        self.is_down = False
        self.incarnation = Incarnation(self, 1)
        self.wire = Wire(f"machine {name}")
        self._sockets: dict[int, OpenSocket] = {}
        self._endpoints: dict[Endpoint, None] = {}
        self.ports = Ports(self._sockets.values, lambda: network.now_s)
        self.files = SocketFiles()

    def __repr__(self) -> str:
        return f"<Host {self.name} {' '.join(self.addresses)}{', down' if self.is_down else ''}>"

    def label(self, address: Address) -> str:
        """Return how messages name ``address`` of this host."""
        if isinstance(address, (str, bytes)):
            return f"{self.name} {address!r}"
        ip, port = address[:2]
        return f"{self.name} [{ip}]:{port}" if ":" in ip else f"{self.name} {ip}:{port}"

    def has_address(self, ip: str) -> bool:
        """Tell whether ``ip`` is this machine."""
        return ip in self.addresses or ip == "::1" or ip.startswith("127.")

    # -- what lives here -----------------------------------------------------------------------

    def endpoints(self) -> list[Endpoint]:
        """Return the ends of connections that live here, oldest first."""
        return list(self._endpoints)

    def forget_endpoint(self, end: Endpoint) -> None:
        """``end`` is over."""
        self._endpoints.pop(end, None)

    def add_socket(self, opened: OpenSocket) -> None:
        """``opened`` was made here."""
        self._sockets[opened.number] = opened

    def forget_socket(self, opened: OpenSocket) -> None:
        """``opened`` was closed."""
        self.wire.touch()
        self._sockets.pop(opened.number, None)
        if opened.family == socket.AF_UNIX:
            self.files.closed(opened)

    # -- binding and connecting ----------------------------------------------------------------

    def bind(self, opened: OpenSocket, address: Address) -> None:
        """Give ``opened`` a local address."""
        if opened.local is not None:
            raise os_error(errno.EINVAL)
        if opened.family == socket.AF_UNIX:
            self.files.bind(opened, address)
            return
        if address[0] not in WILDCARDS and not self.has_address(address[0]):
            raise os_error(errno.EADDRNOTAVAIL)
        self.ports.bind(opened, address)

    def connect(self, opened: OpenSocket, address: Address) -> Endpoint:
        """Start to connect; return this end.

        Raises:
            OSError: it is clear at once that this cannot work.
        """
        if opened.family == socket.AF_UNIX:
            self.files.listener(address)
            return self._request(opened, self, opened.local or "", address)
        ip, port = address[:2]
        ip = unmapped(ip)
        if ip in WILDCARDS:
            ip = "127.0.0.1" if opened.family == socket.AF_INET else "::1"
        target = self if self.has_address(ip) else self.network.host_at(ip)
        if target is None:
            raise os_error(errno.EHOSTUNREACH)
        own_ip, own_port = ("", 0) if opened.ip_address is None else opened.ip_address[:2]
        if not own_ip or own_ip in WILDCARDS:
            own_ip = self._source_ip(ip, target)
        local = address_of(unmapped(own_ip), own_port or self.ports.free())
        opened.local = seen_as(opened.family, local)
        return self._request(opened, target, local, address_of(ip, port))

    def _source_ip(self, ip: str, target: Host) -> str:
        if target is self:
            return ip if ip in self.addresses or ":" in ip else "127.0.0.1"
        for own in self.addresses:
            if (":" in own) == (":" in ip):
                return own
        raise os_error(errno.ENETUNREACH)

    def _request(
        self, opened: OpenSocket, target: Host, local: Address, remote: Address
    ) -> Endpoint:
        wire, network = Wire(), self.network
        here = Endpoint(self, network.link_between(self, target), wire, local, remote)
        there = Endpoint(target, network.link_between(target, self), wire, remote, local)
        here.is_local = there.is_local = opened.family == socket.AF_UNIX
        here.peer, there.peer = there, here
        here.owner = opened
        opened.endpoint = here
        self._endpoints[here] = None
        here.send("syn")
        return here

    def knock(self, end: Endpoint) -> None:
        """A connection request has arrived: pass it to who listens, or refuse it."""
        self.wire.touch()
        listener = self._listener(end)
        if listener is None or listener.listening is None:
            end.send("rst")
            end.is_reset = True
            return
        self._endpoints[end] = None
        listener.listening.knock(end)

    def _listener(self, end: Endpoint) -> OpenSocket | None:
        if not end.is_local:
            return self.ports.listener(*end.local[:2])
        try:
            return self.files.listener(end.local)
        except OSError:
            return None

    def pair(self, first: OpenSocket, second: OpenSocket) -> None:
        """Connect two new sockets with each other."""
        link = self.network.link_between(self, self)
        wire = Wire()
        one, two = Endpoint(self, link, wire, "", ""), Endpoint(self, link, wire, "", "")
        one.peer, two.peer = two, one
        for opened, end in ((first, one), (second, two)):
            end.is_local = end.is_connected = True
            end.owner, opened.endpoint, opened.local = opened, end, ""
            self._endpoints[end] = None

    # -- the machine ---------------------------------------------------------------------------

    def crash(self, *, silent: bool) -> None:
        """Lose every socket at once. What had been sent stays on its way.

        Args:
            silent: the other ends hear nothing of it, as when the power fails. Otherwise they
                get a reset.
        """
        touch_everything()
        self.incarnation.is_dead = True
        for end in self.endpoints():
            end.vanish(silent=silent)
        for opened in list(self._sockets.values()):
            opened.vanish(silent=silent)
        self.ports.forget()
        self.files.forget()
        self.is_down = True

    def stop(self) -> None:
        """Close every socket, as the end of a process does."""
        for opened in list(self._sockets.values()):
            for number in list(opened.numbers):
                opened.notify_closing(number)
                self.network.close(number)

    def boot(self) -> Incarnation:
        """Start a new life; what was sent to the old one meanwhile is answered by a reset."""
        touch_everything()
        self.is_down = False
        self.incarnation = Incarnation(self, self.incarnation.number + 1)
        self.network.pump_into(self)
        return self.incarnation
