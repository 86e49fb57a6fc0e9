"""Socket options: accepted and remembered as Linux does; a few have an effect."""

from __future__ import annotations

import errno
import socket
import struct
from typing import Any, Final

from pyvirt_sim.engine.net.endpoint import os_error
from pyvirt_sim.engine.net.plan import RECEIVE_BUFFER_BYTES, SEND_BUFFER_BYTES

__all__ = ["Options"]

_SOCKET: Final = socket.SOL_SOCKET
_TCP: Final = socket.IPPROTO_TCP
_IP: Final = socket.IPPROTO_IP
_IPV6: Final = socket.IPPROTO_IPV6
# `struct linger`: is it on, seconds.
_LINGER: Final = struct.Struct("ii")

# Options with their values before anybody sets them. Some names are missing on some systems.
_KNOWN: Final[dict[int, dict[str, int]]] = {
    _SOCKET: {
        "SO_REUSEADDR": 0,
        "SO_REUSEPORT": 0,
        "SO_KEEPALIVE": 0,
        "SO_BROADCAST": 0,
        "SO_OOBINLINE": 0,
        "SO_DONTROUTE": 0,
        "SO_PRIORITY": 0,
        "SO_RCVLOWAT": 1,
        "SO_SNDLOWAT": 1,
        "SO_SNDBUF": SEND_BUFFER_BYTES,
        "SO_RCVBUF": RECEIVE_BUFFER_BYTES,
        "SO_PASSCRED": 0,
        "SO_MARK": 0,
    },
    _TCP: {
        "TCP_NODELAY": 0,
        "TCP_CORK": 0,
        "TCP_QUICKACK": 1,
        "TCP_KEEPIDLE": 7200,
        "TCP_KEEPINTVL": 75,
        "TCP_KEEPCNT": 9,
        "TCP_SYNCNT": 6,
        "TCP_LINGER2": 60,
        "TCP_DEFER_ACCEPT": 0,
        "TCP_WINDOW_CLAMP": 0,
        "TCP_MAXSEG": 1460,
        "TCP_USER_TIMEOUT": 0,
        "TCP_FASTOPEN": 0,
        "TCP_NOTSENT_LOWAT": 0xFFFFFFFF,
    },
    _IP: {"IP_TOS": 0, "IP_TTL": 64, "IP_BIND_ADDRESS_NO_PORT": 0, "IP_FREEBIND": 0},
    _IPV6: {"IPV6_V6ONLY": 0, "IPV6_TCLASS": 0, "IPV6_UNICAST_HOPS": 64},
}
_DEFAULTS: Final[dict[tuple[int, int], int]] = {
    (level, getattr(socket, name)): value
    for level, options in _KNOWN.items()
    for name, value in options.items()
    if hasattr(socket, name)
}
_READ_ONLY: Final = ("SO_TYPE", "SO_DOMAIN", "SO_PROTOCOL", "SO_ERROR", "SO_ACCEPTCONN")
_FIXED: Final = {getattr(socket, name, -1) for name in _READ_ONLY}


class Options:
    """The options of one socket."""

    __slots__ = ("_levels", "_linger", "_values")

    def __init__(self, family: int, kind: int, protocol: int) -> None:
        del kind, protocol  # every stream socket of a family has the same options
        self._values: dict[tuple[int, int], int] = {}
        self._linger = (0, 0)
        self._levels = {
            socket.AF_INET: (_SOCKET, _TCP, _IP),
            socket.AF_INET6: (_SOCKET, _TCP, _IP, _IPV6),
        }.get(socket.AddressFamily(family), (_SOCKET,))

    @property
    def resets_on_close(self) -> bool:
        """SO_LINGER with zero seconds: closing resets the connection."""
        return self._linger[0] != 0 and self._linger[1] == 0

    def get(self, level: int, option: int) -> int:
        """Return an option's value."""
        value = self._values.get((level, option))
        return _DEFAULTS[level, option] if value is None else value

    def read(self, level: int, option: int, size: int = 0) -> int | bytes:
        """Return what ``getsockopt`` does: a number, or ``size`` bytes at most."""
        self._check(level, option)
        if (level, option) == (_SOCKET, socket.SO_LINGER):
            packed = _LINGER.pack(*self._linger)
            return packed[:size] if size else self._linger[0]
        value = self.get(level, option)
        if not size:
            return struct.unpack("i", struct.pack("I", value & 0xFFFFFFFF))[0]  # type: ignore[no-any-return]
        return struct.pack("I", value & 0xFFFFFFFF)[:size]

    def write(self, level: int, option: int, value: Any) -> None:
        """Do what ``setsockopt`` does."""
        if level == _SOCKET and option in _FIXED:
            raise os_error(errno.ENOPROTOOPT)
        self._check(level, option)
        if (level, option) == (_SOCKET, socket.SO_LINGER):
            if isinstance(value, int) or len(value) < _LINGER.size:
                raise os_error(errno.EINVAL)
            self._linger = _LINGER.unpack(bytes(value[: _LINGER.size]))
            return
        number = value if isinstance(value, int) else _number(bytes(value))
        if level == _SOCKET and option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            # Linux doubles it, for its own bookkeeping, and has a floor.
            number = max(2 * number, 2304 if option == socket.SO_RCVBUF else 4608)
        self._values[level, option] = int(number)

    def _check(self, level: int, option: int) -> None:
        if level not in self._levels:
            raise os_error(errno.EOPNOTSUPP)
        is_known = (level, option) in _DEFAULTS or (level, option) == (_SOCKET, socket.SO_LINGER)
        if not is_known:
            raise os_error(errno.ENOPROTOOPT)

    def copy_to(self, other: Options) -> None:
        """Give an accepted socket the options of its listener."""
        other._values.update(self._values)
        other._linger = self._linger


def _number(value: bytes) -> int:
    if len(value) < 4:
        raise os_error(errno.EINVAL)
    return int(struct.unpack("i", value[:4])[0])
