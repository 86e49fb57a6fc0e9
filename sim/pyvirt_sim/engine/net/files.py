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


class SocketFiles:
    """Names bound on one machine.

    A file stays until it is unlinked, also after its socket is closed: connecting is then refused,
    binding finds the name in use. Names that start with a zero byte end with their socket.
    """

    def __init__(self) -> None:
        self._bound: dict[str, OpenSocket] = {}

    def bind(self, opened: OpenSocket, path: Any) -> None:
        """Give ``opened`` this name."""
        key = _key(path)
        if key in self._bound:
            raise os_error(errno.EADDRINUSE)
        self._bound[key] = opened
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

    def unlink(self, path: Any) -> bool:
        """Remove a file; tell whether there was one."""
        return self._bound.pop(_key(os.fspath(path)), None) is not None

    def __contains__(self, path: Any) -> bool:
        return _key(os.fspath(path)) in self._bound

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
    if text.startswith("\0"):
        return text
    if not text:
        raise os_error(errno.EINVAL)
    if len(os.fsencode(text)) >= PATH_LIMIT:
        raise OSError("AF_UNIX path too long")
    return os.path.abspath(text)  # noqa: PTH100 - Path.absolute() keeps the dots
