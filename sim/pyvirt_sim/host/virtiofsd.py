"""A virtiofsd: the process that serves a folder of the host to one guest.

It listens from the moment it has looked at its folder. A real one also ends when the guest's QEMU
leaves it; this one ends when it is told to.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence

import trio

from pyvirt_sim.gaps import ModelGapError

PROGRAM = "/usr/lib/qemu/virtiofsd"
"""Where Debian's QEMU has it."""

_SOCKET = "--socket-path="
_SIGTERM = 15


class SimVirtiofsd:
    """The program of one such process.

    Args:
        argv: Its command line.
        pid: Its number.
        log: Receives what it writes.
        is_folder: Whether a folder is there.
        servers: The sockets of the machine at which such processes listen.
    """

    def __init__(
        self,
        argv: Sequence[str],
        pid: int,
        log: Callable[[str], None],
        is_folder: Callable[[str], bool],
        servers: MutableMapping[str, None],
    ) -> None:
        self.actor = f"virtiofsd[{pid}]"
        self._log = log
        self._is_folder = is_folder
        self._servers = servers
        self._told = trio.Event()
        match [*argv[1:]]:
            case [socket, "-o", options] if socket.startswith(_SOCKET):
                self._socket = socket.removeprefix(_SOCKET)
            case _:
                raise ModelGapError(f"virtiofsd {argv[1:]} is not modelled")
        given = [one.partition("=") for one in options.split(",")]
        self._folder = "".join(value for name, _, value in given if name == "source")

    async def run(self) -> int:
        """Be the program, until it is told to end."""
        await trio.lowlevel.checkpoint()
        if not self._is_folder(self._folder):
            self._log(f"fuse: failed to stat({self._folder!r}): No such file or directory\n")
            return 1
        self._servers[self._socket] = None
        try:
            await self._told.wait()
        finally:
            self._servers.pop(self._socket, None)
        return -_SIGTERM

    def terminate(self, sender: int) -> None:
        """SIGTERM, whoever sends it."""
        del sender
        self._told.set()
