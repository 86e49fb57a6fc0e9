"""Socket files under the functions of ``os``, so that a program finds and removes them as ever.

A server removes the file that its last life left behind (``if os.path.exists(path):
os.unlink(path)``, or so with ``pathlib`` or ``trio.Path``) and perhaps sets its mode. From the
first socket file of a run to the run's end these functions of ``os`` know the files of the machine
that the running code belongs to; everything else they pass on.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from typing import Any, Final

from pyvirt_sim.engine.fence.swap import Swap
from pyvirt_sim.engine.incarnation import is_dead_here
from pyvirt_sim.engine.net.endpoint import os_error
from pyvirt_sim.engine.net.files import SocketFiles
from pyvirt_sim.engine.net.network import running

__all__ = ["SERVED_PATHS"]


def _status(files: SocketFiles, path: Any) -> os.stat_result:
    # Inode, device, owner, size and times say nothing.
    return os.stat_result((stat.S_IFSOCK | files.mode(path), 0, 0, 1, 0, 0, 0, 0, 0, 0))


def _files_with(path: Any) -> SocketFiles | None:
    """Return the socket files of this machine if ``path`` is among them."""
    network = running[-1].network if running else None
    if network is None or isinstance(path, int):
        return None
    files = network.here().files
    if path not in files:
        return None
    if is_dead_here():
        raise os_error(errno.ESTALE)
    return files


def _served(name: str, answer: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function ``name`` of ``os``, with ``answer`` for socket files."""
    original: Callable[..., Any] = getattr(os, name)

    def function(path: Any, *args: Any, **options: Any) -> Any:
        files = None if options.get("dir_fd") is not None else _files_with(path)
        if files is None:
            return original(path, *args, **options)
        return answer(files, path, *args)

    function.__name__ = name
    return function


SERVED_PATHS: Final = Swap(
    os.__dict__,
    {
        "stat": _served("stat", _status),
        "lstat": _served("lstat", _status),
        "chmod": _served("chmod", SocketFiles.chmod),
        "unlink": _served("unlink", SocketFiles.unlink),
        "remove": _served("remove", SocketFiles.unlink),
    },
)
