"""Network back ends of type ``stream``: one listens at a unix socket, another connects to it.

QEMU opens both in the background, after it has answered ``netdev_add``, and never says when that
fails: whoever finds nobody at the socket stays silent for good. When one end is deleted the other
hears of it; a listening one then takes the next connection, a connecting one is dead
(``net/stream.c`` of QEMU 7.2). An end that is deleted before it has opened is used after it was
freed, and may take QEMU with it: that is not modelled.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from pyvirt_sim.gaps import ModelGapError
from pyvirt_sim.qemu.world import World

STREAM_OPENS_S: Final = 0.001
"""How long opening takes at least: a command sent along with ``netdev_add`` comes before it."""


@attrs.define(eq=False)
class _End:
    """One back end, ``peer`` the one it is connected to; it opens in the background."""

    id: str
    path: str
    is_server: bool
    is_opening: bool = True
    peer: _End | None = None


class NetdevStreams:
    """The back ends of type ``stream`` of one machine.

    Args:
        emit: Sends one event.
        later: Does something once the reply of the present command is on its way.
        world: The host.
    """

    def __init__(
        self,
        emit: Callable[[str, Mapping[str, Any] | None], None],
        later: Callable[[Callable[[], None]], None],
        world: World,
    ) -> None:
        self._emit = emit
        self._later = later
        self._world = world
        self._ends: dict[str, _End] = {}

    def add(self, arguments: Mapping[str, Any]) -> None:
        """Begin to listen or to connect. Events NETDEV_STREAM_CONNECTED of both, server first.

        Raises:
            ModelGapError: The address is no unix socket in a folder that is there, or another
                back end has it that listens there, opens there, or is connected already.
        """
        address: Mapping[str, Any] = arguments["addr"]
        if set(address) != {"type", "path"} or address["type"] != "unix":
            raise ModelGapError("network streams over other than plain unix sockets")
        path, is_server = str(address["path"]), bool(arguments.get("server", False))
        folder = posixpath.dirname(path)
        if not self._world.folder_exists(folder) or self._world.file_exists(path):
            raise ModelGapError(f"a network stream at {path} is not modelled")
        server = self._server(path)
        if server is not None and (is_server or server.peer is not None or server.is_opening):
            raise ModelGapError(f"a second network stream of one kind at {path} is not modelled")
        end = _End(str(arguments["id"]), path, is_server)
        self._ends[end.id] = end
        self._later(lambda: self._open(end))

    def _server(self, path: str) -> _End | None:
        found = (end for end in self._ends.values() if end.is_server and end.path == path)
        return next(found, None)

    def _open(self, end: _End) -> None:
        end.is_opening = False
        server = self._server(end.path)
        if end.is_server or server is None:
            return
        end.peer, server.peer = server, end
        for one in (server, end):
            address = {"type": "unix", "path": one.path}
            self._emit("NETDEV_STREAM_CONNECTED", {"netdev-id": one.id, "addr": address})

    def delete(self, name: str) -> None:
        """Close one end, if there is one of that name. The other one is told.

        Event NETDEV_STREAM_DISCONNECTED of that other one.

        Raises:
            ModelGapError: An end at that address has not opened yet.
        """
        end = self._ends.get(name)
        if end is None:
            return
        if any(one.is_opening for one in self._ends.values() if one.path == end.path):
            raise ModelGapError("QEMU 7.2 may crash when a network stream is deleted as it opens")
        del self._ends[name]
        if end.peer is None:
            return
        peer, end.peer = end.peer, None
        peer.peer = None
        self._later(lambda: self._emit("NETDEV_STREAM_DISCONNECTED", {"netdev-id": peer.id}))
