"""The Linux machine this process runs on: the only file that meets real ones.

Real files, sockets, processes, the wall clock and chance are used here and nowhere else in the
library, so that the simulator can stand in for all of them by standing in for `RealHost`.

What blocks runs in one of Trio's worker threads and is never abandoned there: a cancellation that
arrives while a thread is at work takes effect after it has finished. Hence the promises of
`pyvirt_trio.abc` hold without further ado: a write has happened or not, a file is old or new.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import itertools
import os
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import trio

from pyvirt_trio import abc
from pyvirt_trio.host import netlink
from pyvirt_trio.host.streams import RealStream
from pyvirt_trio.host.uevents import KernelUevents
from pyvirt_trio.models import VfSettings

MAX_FILE_BYTES = 10 * 1024 * 1024
"""Longest file that is read: virsh's own bound on an XML document (``VSH_MAX_XML_FILE``).

Attributes of sysfs are at most a page. The bound keeps a mistaken path (a disk image, a device)
from filling the memory.
"""

MAX_UNIX_PATH_BYTES = 107
"""Longest path of a unix socket: Linux's ``sun_path`` has 108 bytes, the last of which is NUL."""

OWNER_ONLY_FILE = 0o600
OWNER_ONLY_DIRECTORY = 0o700


class RealProcess(abc.Process):
    """A process of this machine, held by a pidfd, which never comes to mean another process."""

    def __init__(self, pid: int, pidfd: int) -> None:
        self._pid = pid
        self._pidfd = pidfd
        self._waiting = trio.Lock()  # a descriptor is waited for by one task at a time
        self._status: int | None = None
        self._has_ended = False

    @property
    def pid(self) -> int:
        """The process id."""
        return self._pid

    async def wait(self) -> int | None:
        """Block until the process has ended, and take its zombie away if it is our child."""
        async with self._waiting:
            if not self._has_ended:
                await trio.lowlevel.wait_readable(self._pidfd)
                self._has_ended = True
                self._status = _reap(self._pidfd)
                os.close(self._pidfd)
        return self._status

    def terminate(self) -> None:
        """Send SIGTERM, unless the process has ended."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL, unless the process has ended."""
        self._send(signal.SIGKILL)

    def leave(self) -> None:
        """Close the pidfd; nothing else ties the process to us."""
        if not self._has_ended:
            self._has_ended = True
            os.close(self._pidfd)

    def _send(self, number: signal.Signals) -> None:
        if not self._has_ended:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)


def _reap(pidfd: int) -> int | None:
    try:
        result = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
    except ChildProcessError:
        return None  # somebody else's child
    if result is None:
        return None
    return result.si_status if result.si_code == os.CLD_EXITED else -result.si_status


class RealAppendedFile(abc.AppendedFile):
    """A file opened with ``O_APPEND``."""

    def __init__(self, descriptor: int, path: str) -> None:
        self._descriptor = descriptor
        self._path = path

    def append(self, text: str) -> None:
        """One ``write`` into the page cache: under a microsecond for a line, and no disk is asked.

        Only a machine that writes faster than its disks for a long time makes it wait, and then
        every program on it waits.
        """
        data = text.encode()
        if os.write(self._descriptor, data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self._path)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)


class RealHost(abc.Host):
    """A Linux machine. See `pyvirt_trio.abc.Host` for what each method promises."""

    async def read_text(self, path: str) -> str:
        """The contents of a file of at most `MAX_FILE_BYTES`.

        Raises:
            OSError: From the kernel; ``EFBIG`` when it is longer; ``EILSEQ`` when not UTF-8.
        """
        return await trio.to_thread.run_sync(_read_text, path)

    async def read_texts(self, paths: Sequence[str]) -> list[str | OSError]:
        """One thread reads them all: for small files it costs more to wake one than to read."""
        return await trio.to_thread.run_sync(_read_texts, list(paths))

    async def read_head(self, path: str, limit: int) -> abc.FileHead:
        """The first ``limit`` bytes of a file, and its length."""
        return await trio.to_thread.run_sync(_read_head, path, limit)

    async def write_attribute(self, path: str, text: str) -> None:
        """Write ``text`` in one ``write`` to a file that exists.

        Cancellation:
            Waits for the kernel, for as long as that takes. One attribute may take long: unbinding
            a device from vfio-pci waits until no process holds the device.
        """
        await trio.to_thread.run_sync(_write_attribute, path, text)

    async def replace_file(self, path: str, text: str, *, durably: bool = True) -> None:
        """Write a new file beside ``path``, make it durable, and rename it over ``path``."""
        await trio.to_thread.run_sync(_replace_file, path, text, durably)

    async def sync_file(self, path: str) -> None:
        """``fsync`` of the file and of its directory."""
        await trio.to_thread.run_sync(_sync_file, path)

    async def seal_file(self, path: str, head: bytes) -> None:
        """Write at offset 0, then ``fsync``: this waits for the disk, with large files for long."""
        await trio.to_thread.run_sync(_seal_file, path, head)

    async def open_appended(self, path: str) -> RealAppendedFile:
        """Open with ``O_APPEND``, creating with mode 0600."""
        return RealAppendedFile(await trio.to_thread.run_sync(_open_log, path), path)

    async def move_file(self, path: str, new_path: str) -> None:
        """Rename, and sync both directories."""
        await trio.to_thread.run_sync(_move_file, path, new_path)

    async def remove_file(self, path: str) -> None:
        """Remove a file, durably."""
        await trio.to_thread.run_sync(_remove_file, path)

    async def make_directory(self, path: str) -> None:
        """Create a directory and its missing parents, all with mode 0700."""
        await trio.to_thread.run_sync(_make_directory, Path(path))

    async def list_directory(self, path: str) -> list[str]:
        """The names in a directory, sorted by code point."""
        return await trio.to_thread.run_sync(_list_directory, Path(path))

    async def read_link(self, path: str) -> str:
        """The target of a symbolic link, as written."""
        return await trio.to_thread.run_sync(_read_link, path)

    async def exists(self, path: str) -> bool:
        """Whether ``path``, links followed, names anything."""
        return await trio.Path(path).exists()

    @contextlib.asynccontextmanager
    async def lock(self, path: str) -> AsyncGenerator[None]:
        """Hold ``flock`` on ``path``; the kernel drops it when this process ends.

        The file stays when the lock is given back: removing it would let two tasks hold "the" lock
        on two files of the same name.
        """
        descriptor = await trio.to_thread.run_sync(_open_locked, path)
        try:
            yield
        finally:
            os.close(descriptor)

    async def start_process(self, argv: Sequence[str], *, log_file: str) -> RealProcess:
        """Start a program in its own session: a Ctrl-C at our terminal is not its, nor is our end.

        It has no pipe to us either, whose breaking would end it.
        """
        return await trio.to_thread.run_sync(_start_process, list(argv), log_file)

    def is_port_free(self, port: int) -> bool:
        """Bind to it, in both families, and let it go again: the kernel answers at once."""
        return all(_can_bind(family, port) for family in (socket.AF_INET, socket.AF_INET6))

    async def adopt_process(self, pid: int) -> RealProcess:
        """Open a pidfd. A zombie can be adopted; `wait` then returns at once."""
        await trio.lowlevel.checkpoint()
        return RealProcess(pid, os.pidfd_open(pid))

    async def open_stream(self, address: str) -> RealStream:
        """Connect to ``unix:PATH`` or ``tcp:HOST:PORT`` (``tcp:[::1]:PORT`` for IPv6).

        Raises:
            ValueError: ``address`` has neither form.
            OSError: From the kernel; ``ENAMETOOLONG`` for a path no socket can have.
        """
        kind, _, rest = address.partition(":")
        if kind == "unix" and rest:
            return RealStream.taking(await trio.open_unix_socket(socket_path(rest)))
        host, _, port = rest.rpartition(":")
        if kind == "tcp" and host and port.isdecimal() and int(port) <= 0xFFFF:
            name = host.removeprefix("[").removesuffix("]")
            return RealStream.taking(await _open_tcp(name, int(port)))
        raise ValueError(f"{address!r} is neither unix:PATH nor tcp:HOST:PORT")

    async def read_vf_settings(self, interface: str, index: int) -> VfSettings:
        """As the seam says; over netlink."""
        reply = await trio.to_thread.run_sync(
            _ask_kernel, netlink.settings_request(interface), interface
        )
        if index not in reply:
            raise FileNotFoundError(errno.ENOENT, "no such virtual function", interface)
        return reply[index]

    async def write_vf_settings(self, interface: str, index: int, settings: VfSettings) -> None:
        """As the seam says; over netlink."""
        request = netlink.change_request(interface, index, settings)
        await trio.to_thread.run_sync(_ask_kernel, request, interface)

    def open_uevents(self) -> KernelUevents:
        """A netlink socket of the kernel's."""
        return KernelUevents()

    def wall_clock_s(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        return time.time()

    def fresh_uuid(self) -> uuid.UUID:
        """A random UUID of version 4."""
        return uuid.uuid4()


def socket_path(path: str) -> str:
    """``path``, which is short enough to name a unix socket.

    Raises:
        OSError: ``ENAMETOOLONG``, with both lengths; Python's own error carries no errno.
    """
    length = len(os.fsencode(path))
    if length > MAX_UNIX_PATH_BYTES:
        reason = f"path of {length} bytes; a unix socket has at most {MAX_UNIX_PATH_BYTES}"
        raise OSError(errno.ENAMETOOLONG, reason, path)
    return path


async def _open_tcp(host: str, port: int) -> trio.SocketStream:
    try:
        return await trio.open_tcp_stream(host, port)
    except OSError as error:
        # Trio tries every address of a name and reports all failures in a group without an errno;
        # the seam promises the kernel's errno, so the first one speaks for all.
        causes = getattr(error.__cause__, "exceptions", ())
        first = next((cause.errno for cause in causes if isinstance(cause, OSError)), None)
        if first is None:
            raise
        raise OSError(first, os.strerror(first), f"{host}:{port}") from error


def _can_bind(family: socket.AddressFamily, port: int) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # What has just been closed may be bound again, as QEMU does it.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind(("", port))
    except OSError as error:
        # A kernel without that family has nobody who could have the port.
        return error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
    return True


def _read_text(path: str) -> str:
    with Path(path).open("rb", buffering=0) as file:
        data = bytearray()
        while chunk := file.read(min(65536, MAX_FILE_BYTES + 1 - len(data))):
            data += chunk
    if len(data) > MAX_FILE_BYTES:
        raise OSError(errno.EFBIG, f"longer than {MAX_FILE_BYTES} bytes", path)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise OSError(errno.EILSEQ, os.strerror(errno.EILSEQ), path) from error


def _read_texts(paths: Sequence[str]) -> list[str | OSError]:
    return [_read_or_error(path) for path in paths]


def _read_or_error(path: str) -> str | OSError:
    try:
        return _read_text(path)
    except OSError as error:
        return error


def _ask_kernel(request: bytes, interface: str) -> dict[int, VfSettings]:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.send(request)
        return netlink.read_reply(kernel.recv(netlink.REPLY_BYTES), interface)


def _read_head(path: str, limit: int) -> abc.FileHead:
    with Path(path).open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        data = bytearray()
        while chunk := file.read(limit - len(data)):
            data += chunk
    return abc.FileHead(bytes(data), size)


def _seal_file(path: str, head: bytes) -> None:
    with Path(path).open("r+b", buffering=0) as file:
        if file.write(head) != len(head):
            raise OSError(errno.EIO, "the kernel took only a part of the write", path)
        os.fsync(file.fileno())


def _write_attribute(path: str, text: str) -> None:
    # O_TRUNC is what a shell's redirection does; sysfs ignores it. No O_CREAT: it must exist.
    descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)
    try:
        data = text.encode()
        if os.write(descriptor, data) != len(data):
            raise OSError(errno.EIO, "the kernel took only a part of the write", path)
    finally:
        os.close(descriptor)


def _replace_file(path: str, text: str, durably: bool) -> None:
    folder = _folder(path)
    descriptor, temporary = _create_beside(folder, path.rpartition("/")[2])
    try:
        with open(descriptor, "wb", buffering=0) as file:  # noqa: PTH123 - a descriptor, not a path
            _write_all(file, text.encode())
            if durably:
                os.fsync(descriptor)
        os.replace(temporary, path)  # noqa: PTH105 - a text, of which pathlib would make a path
    except BaseException:
        os.unlink(temporary)  # noqa: PTH108 - the same
        raise
    if durably:
        _sync_directory(folder)


def _sync_file(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    _sync_directory(_folder(path))


def _create_beside(folder: str, name: str) -> tuple[int, str]:
    """A new file in ``folder``, for its owner alone, that neither another writer nor a crash left.

    `tempfile` does it too, with names by chance, and takes longer to load than this to run.
    """
    while True:
        path = f"{folder}/.{name}.{next(_NUMBERS)}.new"
        with contextlib.suppress(FileExistsError):
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY_FILE), path


_NUMBERS = itertools.count(1)
"""One for each file that is written in this process."""


def _write_all(file: io.FileIO, data: bytes) -> None:
    while data:
        data = data[file.write(data) :]


def _move_file(path: str, new_path: str) -> None:
    os.replace(path, new_path)  # noqa: PTH105 - texts, of which pathlib would make paths
    _sync_directory(_folder(new_path))
    _sync_directory(_folder(path))


def _remove_file(path: str) -> None:
    os.unlink(path)  # noqa: PTH108 - the same
    _sync_directory(_folder(path))


def _folder(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def _sync_directory(path: str) -> None:
    """Make renames and removals in a directory survive a crash."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_directory(path: Path) -> None:
    if not path.parent.exists():
        # `parents=True` would give the parents the mode of the umask, and make none durable.
        _make_directory(path.parent)
    try:
        path.mkdir(mode=OWNER_ONLY_DIRECTORY)
    except FileExistsError:
        if not path.is_dir():
            raise
    else:
        _sync_directory(str(path.parent))


def _read_link(path: str) -> str:
    return os.readlink(path)  # noqa: PTH115 - pathlib would tidy the target


def _list_directory(path: Path) -> list[str]:
    with os.scandir(path) as entries:
        return sorted(entry.name for entry in entries)


def _open_locked(path: str) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, OWNER_ONLY_FILE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _start_process(argv: list[str], log_file: str) -> RealProcess:
    log = _open_log(log_file)
    try:
        child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    finally:
        os.close(log)
    process = RealProcess(child.pid, os.pidfd_open(child.pid))
    child.returncode = 0  # it is watched by its pidfd from here on, and may outlive us
    return process


def _open_log(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, OWNER_ONLY_FILE)
