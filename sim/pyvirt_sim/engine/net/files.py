"""The socket files of one machine: names of Unix sockets, which outlive their sockets."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any, Final

from pyvirt_sim.engine.net.endpoint import os_error

if TYPE_CHECKING:
    from pyvirt_sim.engine.net.opensocket import OpenSocket

__all__ = ["SocketFiles"]

# The size of sun_path in struct sockaddr_un.
PATH_LIMIT: Final = 108
# What bind() gives a file under the usual umask.
MODE: Final = 0o755


class SocketFiles:
    """Names bound on one machine.

    A file stays until it is unlinked, also after its socket is closed: connecting is then refused,
    binding finds the name in use. Names that start with a zero byte end with their socket.
    """

    def __init__(self) -> None:
        self._bound: dict[str, OpenSocket] = {}
        self._modes: dict[str, int] = {}

    def bind(self, opened: OpenSocket, path: Any) -> None:
        """Give ``opened`` this name."""
        if not path:
            raise os_error(errno.EINVAL)
        if len(os.fsencode(path)) >= PATH_LIMIT:
            raise OSError("AF_UNIX path too long")
        key = _key(path)
        if key in self._bound:
            raise os_error(errno.EADDRINUSE)
        self._bound[key] = opened
        self._modes[key] = MODE
        opened.local = path

    def listener(self, path: Any) -> OpenSocket:
        """Return who listens there.

        Raises:
            FileNotFoundError: there is no such file.
            ConnectionRefusedError: nobody listens.
        """
        key = _key(path)
        found = self._bound.get(key)
        if found is None:
            raise os_error(errno.ECONNREFUSED if key.startswith("\0") else errno.ENOENT)
        if found.listening is None:
            raise os_error(errno.ECONNREFUSED)
        return found

    def mode(self, path: Any) -> int:
        """Return who may connect, as a file's permissions. Nobody is kept from it."""
        return self._modes[_key(path)]

    def chmod(self, path: Any, mode: int) -> None:
        """Set who may connect."""
        self._modes[_key(path)] = mode

    def unlink(self, path: Any) -> None:
        """Remove a file; its socket does not notice."""
        del self._bound[_key(path)]

    def __contains__(self, path: Any) -> bool:
        return _key(path) in self._bound

    def closed(self, opened: OpenSocket) -> None:
        """``opened`` is closed."""
        if opened.local and _key(opened.local).startswith("\0"):
            self._bound.pop(_key(opened.local), None)

    def forget(self) -> None:
        """The machine starts anew, on the same disk."""
        self._bound = {key: opened for key, opened in self._bound.items() if key[:1] != "\0"}


def _key(path: Any) -> str:
    """Return what tells socket files apart, however their path is written."""
    text = os.fsdecode(path)
    return text if text.startswith("\0") else os.path.abspath(text)  # noqa: PTH100 - Path keeps dots
