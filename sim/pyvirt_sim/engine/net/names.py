"""Names and addresses: the resolver of the simulated network, with the errors of the real one."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from typing import Any, Final

from pyvirt_sim.engine.net.network import Network, current_network

__all__ = ["getaddrinfo", "getnameinfo"]

# The services that examples use. /etc/services differs between machines.
_SERVICES: Final = {"http": 80, "https": 443, "ssh": 22, "smtp": 25, "domain": 53}
_KINDS: Final = (
    (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    (socket.SOCK_RAW, 0),
)
_NUMERIC_SERVICE: Final = getattr(socket, "AI_NUMERICSERV", 0)


def _error(number: int, text: str) -> socket.gaierror:
    return socket.gaierror(number, text)


def getaddrinfo(
    host: bytes | str | None,
    port: bytes | str | int | None,
    family: int = 0,
    type: int = 0,  # noqa: A002 - the name socket.getaddrinfo gives it
    proto: int = 0,
    flags: int = 0,
) -> list[tuple[Any, ...]]:
    """Look up ``host`` and ``port`` as ``socket.getaddrinfo`` does; IPv4 comes first."""
    name = host.decode("ascii") if isinstance(host, bytes) else host
    number = _port(port, flags)
    if name is None and port is None:
        raise _error(socket.EAI_NONAME, "Name or service not known")
    addresses = [ip for ip in _addresses(name, flags) if _fits(ip, family)]
    if family == socket.AF_INET6 and not addresses and flags & socket.AI_V4MAPPED:
        addresses = [f"::ffff:{ip}" for ip in _addresses(name, flags)]
    if not addresses:
        is_numeric = name is not None and _numeric(name) is not None
        raise _error(
            getattr(socket, "EAI_ADDRFAMILY", socket.EAI_FAMILY)
            if is_numeric
            else getattr(socket, "EAI_NODATA", socket.EAI_NONAME),
            "No address associated with hostname",
        )
    canonical = (name or "") if flags & socket.AI_CANONNAME else ""
    return [
        (*_entry(ip)[:1], kind, protocol, canonical, _entry(ip)[1] + (number,) + _entry(ip)[2])
        for ip in addresses
        for kind, protocol in _kinds(type, proto)
    ]


def _entry(ip: str) -> tuple[socket.AddressFamily, tuple[str], tuple[int, ...]]:
    if ":" in ip:
        return socket.AF_INET6, (ip,), (0, 0)
    return socket.AF_INET, (ip,), ()


def _fits(ip: str, family: int) -> bool:
    return family in (socket.AF_UNSPEC, socket.AF_INET6 if ":" in ip else socket.AF_INET)


def _kinds(kind: int, proto: int) -> Iterator[tuple[socket.SocketKind, int]]:
    found = False
    for candidate, protocol in _KINDS:
        # Any protocol can be asked for raw, but then the type must be named.
        fits = proto in (0, protocol) or kind == candidate == socket.SOCK_RAW
        if kind in (0, candidate) and fits:
            found = True
            yield candidate, protocol or proto
    if not found:
        raise _error(socket.EAI_SOCKTYPE, "ai_socktype not supported")


def _port(port: bytes | str | int | None, flags: int) -> int:
    if port in (None, "", b""):
        return 0
    if isinstance(port, int):
        return port
    text = port.decode("ascii") if isinstance(port, bytes) else port
    if text.isdecimal():
        return int(text)
    if flags & _NUMERIC_SERVICE:
        raise _error(socket.EAI_NONAME, "Name or service not known")
    if text not in _SERVICES:
        raise _error(socket.EAI_SERVICE, "Servname not supported for ai_socktype")
    return _SERVICES[text]


def _numeric(name: str) -> str | None:
    try:
        return str(ipaddress.ip_address(name.partition("%")[0]))
    except ValueError:
        return None


def _addresses(name: str | None, flags: int) -> tuple[str, ...]:
    if name is None or name == "":
        return ("0.0.0.0", "::") if flags & socket.AI_PASSIVE else ("127.0.0.1", "::1")
    numeric = _numeric(name)
    if numeric is not None:
        return (numeric,)
    if flags & socket.AI_NUMERICHOST:
        raise _error(socket.EAI_NONAME, "Name or service not known")
    if name == "localhost":
        return "127.0.0.1", "::1"
    network = current_network()
    found = network.hosts.get(name)
    if found is None:
        error = _error(socket.EAI_NONAME, "Name or service not known")
        error.add_note(f"the simulated network has no {name!r}, only {_known(network)}")
        raise error
    return found.addresses


def _known(network: Network) -> str:
    return ", ".join(["localhost", *network.hosts])


def getnameinfo(address: tuple[Any, ...], flags: int) -> tuple[str, str]:
    """Look up the name of an address as ``socket.getnameinfo`` does."""
    ip, port, *_ = address
    numeric = _numeric(ip)
    if numeric is None:
        raise _error(socket.EAI_NONAME, "Name or service not known")
    service = next((name for name, number in _SERVICES.items() if number == port), str(port))
    if flags & socket.NI_NUMERICSERV:
        service = str(port)
    host = current_network().host_at(numeric)
    is_loopback = ipaddress.ip_address(numeric).is_loopback
    name = "localhost" if is_loopback else None if host is None else host.name
    if name is None and flags & socket.NI_NAMEREQD:
        raise _error(socket.EAI_NONAME, "Name or service not known")
    return numeric if name is None or flags & socket.NI_NUMERICHOST else name, service
