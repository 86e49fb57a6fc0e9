"""The seam between this library and the machine it runs on.

Everything the library wants from the outside goes through one `Host`: files and links (sysfs and
its own state), processes, byte streams, the wall clock and fresh identities.
`pyvirt_trio.host.real` implements it for a Linux machine, `pyvirt_sim.host` for a simulated one,
and the library cannot tell them apart. Monotonic time is Trio's own clock and not part of the seam.

Rules for implementers
    1. Every ``async`` method is a checkpoint and may be cancelled; what cancellation leaves behind
       is stated at the method.
    2. Failures are ``OSError`` with the errno a Linux kernel would give.
    3. Nothing here decides anything: no retries, no defaults, no order other than the stated one.
"""

from __future__ import annotations

import abc
import uuid
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import attrs
import trio

from pyvirt_trio.models.nodedev import VfSettings


class PromptStream(trio.abc.Stream):
    """A stream that can send without a turn of the scheduler.

    Whoever sends so gets its bytes on their way before any other task runs. Not every stream can:
    those of a simulated machine let every task have its turn, which covers this order and others.
    """

    @abc.abstractmethod
    def send_nowait(self, data: bytes) -> int:
        """Send as much of ``data`` as goes without waiting, and return how many bytes that is.

        Not to be called while `send_all` is under way.

        Raises:
            trio.BrokenResourceError: The other end is gone.
            trio.ClosedResourceError: This one is closed.
        """


class Process(abc.ABC):
    """A process that this program has started, or has found running; only we wait for it."""

    @property
    @abc.abstractmethod
    def pid(self) -> int:
        """The process id. It may name another process as soon as `wait` has returned."""

    @abc.abstractmethod
    async def wait(self) -> int | None:
        """Block until the process has ended.

        May be called by several tasks, and again after the end.

        Returns:
            The exit status, or minus the number of the signal that ended the process; ``None`` for
            a process that another one had started, whose status only that one is told.

        Cancellation:
            The process is not touched.
        """

    @abc.abstractmethod
    def terminate(self) -> None:
        """Send SIGTERM. Does nothing when the process has ended."""

    @abc.abstractmethod
    def kill(self) -> None:
        """Send SIGKILL. Does nothing when the process has ended."""

    @abc.abstractmethod
    def leave(self) -> None:
        """Take no more interest in it: it runs on, also when this program ends.

        Nothing else may be asked of it afterwards.
        """


@attrs.frozen
class FileHead:
    """The beginning of a file, and how long the whole is.

    Args:
        data: Its first bytes.
        size: Its length in bytes.
    """

    data: bytes
    size: int


class AppendedFile(abc.ABC):
    """A state file that only grows."""

    @abc.abstractmethod
    def append(self, text: str) -> None:
        """Add ``text`` at the end, at once: the one thing here that does not wait for a thread.

        What was added survives the end of this program, however it ends, and may be lost, from
        some place on, when the machine loses power.

        Raises:
            OSError: Nothing of it was added, or a first part, as when the disk is full.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Add nothing any more."""


class Uevent(Protocol):
    """One event of the kernel about a device."""

    @property
    def action(self) -> str:
        """``add``, ``remove``, ``bind``, ``unbind`` or ``change``."""
        ...

    @property
    def devpath(self) -> str:
        """The device's folder, below /sys."""
        ...

    @property
    def subsystem(self) -> str:
        """Such as ``pci``."""
        ...


class Uevents(abc.ABC):
    """What the kernel tells of devices, from the moment this was opened."""

    @abc.abstractmethod
    async def receive(self) -> Uevent:
        """The next event, waiting for it.

        It may be late, and what it tells of may have changed again.

        Raises:
            OSError: ``ENOBUFS`` once after events were dropped because nobody received them.

        Cancellation:
            No event is lost.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Receive no more."""


class Host(abc.ABC):
    """A machine, as far as the library needs one. Paths are absolute POSIX paths."""

    @abc.abstractmethod
    async def read_text(self, path: str) -> str:
        """The contents of a file or sysfs attribute, decoded as UTF-8.

        Raises:
            OSError: As ``open`` and ``read`` give it; ``EFBIG`` above the host's bound on one file.
        """

    async def read_texts(self, paths: Sequence[str]) -> list[str | OSError]:
        """For each of ``paths`` what `read_text` returns, or raises: many small files at once."""
        return [await self._read_or_error(path) for path in paths]

    async def _read_or_error(self, path: str) -> str | OSError:
        try:
            return await self.read_text(path)
        except OSError as error:
            return error

    @abc.abstractmethod
    async def read_head(self, path: str, limit: int) -> FileHead:
        """The first ``limit`` bytes of a file that may be large, and its length.

        Raises:
            OSError: As ``open``, ``fstat`` and ``read`` give it.
        """

    @abc.abstractmethod
    async def write_attribute(self, path: str, text: str) -> None:
        """Write ``text`` in one ``write`` to an attribute that exists, as sysfs wants it.

        Cancellation:
            The write has happened or has not; it is never half done.
        """

    @abc.abstractmethod
    async def replace_file(self, path: str, text: str, *, durably: bool = True) -> None:
        """Make ``text`` the contents of a state file, durably and all at once.

        After a crash the file has its old or its new contents, never a mixture. Others than the
        owner may not read it.

        Args:
            path: The file.
            text: Its contents from here on.
            durably: False where `sync_file` follows: until then only the crash of a process is
                survived, and after one of the machine the file may have anything in it.

        Cancellation:
            The file has its old or its new contents.
        """

    @abc.abstractmethod
    async def sync_file(self, path: str) -> None:
        """What has been written to a state file by now, and its name, is durable."""

    @abc.abstractmethod
    async def seal_file(self, path: str, head: bytes) -> None:
        """Write ``head`` over the beginning of a file, and make all that is in it durable.

        It is for what another program has written: QEMU writes no file durably.

        Cancellation:
            It is sealed; or its beginning may be old, new or a mixture.
        """

    @abc.abstractmethod
    async def open_appended(self, path: str) -> AppendedFile:
        """Open a state file to add to it, creating it; others than the owner may not read it.

        Cancellation:
            The file may have been created.
        """

    @abc.abstractmethod
    async def remove_file(self, path: str) -> None:
        """Remove a state file, durably. ``FileNotFoundError`` when there is none."""

    @abc.abstractmethod
    async def move_file(self, path: str, new_path: str) -> None:
        """Give a state file another name, durably, replacing what has that name.

        Cancellation:
            The file has its old or its new name.
        """

    @abc.abstractmethod
    async def make_directory(self, path: str) -> None:
        """Create, durably, a directory that only the owner may enter, and its parents.

        It may exist.
        """

    @abc.abstractmethod
    async def list_directory(self, path: str) -> list[str]:
        """The names in a directory, sorted."""

    @abc.abstractmethod
    async def read_link(self, path: str) -> str:
        """The target of a symbolic link, as it is written in the link."""

    @abc.abstractmethod
    async def exists(self, path: str) -> bool:
        """Whether ``path``, links followed, names anything."""

    @abc.abstractmethod
    def lock(self, path: str) -> AbstractAsyncContextManager[None]:
        """Hold an exclusive lock on the file ``path``, creating it, while the context is open.

        The lock ends with the process that holds it, however that ends.

        Raises:
            BlockingIOError: Somebody else holds it.
        """

    @abc.abstractmethod
    async def start_process(self, argv: Sequence[str], *, log_file: str) -> Process:
        """Start a program in a session of its own, its output appended to ``log_file``.

        Args:
            argv: Absolute path or name of the program, and its arguments.
            log_file: Receives standard output and standard error; standard input is empty.

        Cancellation:
            Either no process was started, or it is returned.
        """

    @abc.abstractmethod
    async def adopt_process(self, pid: int) -> Process:
        """Watch a process that an earlier run of this program has started.

        The process it returns stays the one that had this number at the time of the call, even
        when the number is used again: look then, not before, whether it is the one you mean.

        Raises:
            ProcessLookupError: No process has this number.
        """

    @abc.abstractmethod
    async def open_stream(self, address: str) -> trio.abc.Stream:
        """Connect to ``address``.

        Args:
            address: ``unix:PATH`` or ``tcp:HOST:PORT``.

        Raises:
            ConnectionRefusedError: Nobody listens there (any more).
            FileNotFoundError: There is no such socket (yet).
        """

    @abc.abstractmethod
    def is_port_free(self, port: int) -> bool:
        """Whether a server could listen at this TCP port, at every address of the machine, now."""

    @abc.abstractmethod
    async def read_vf_settings(self, interface: str, index: int) -> VfSettings:
        """What a network card does with the packets of its virtual function ``index``.

        Args:
            interface: The network interface of the card itself.
            index: Number of the virtual function.

        Raises:
            OSError: ``ENODEV`` without such an interface, ``ENOENT`` without such a function.
        """

    @abc.abstractmethod
    async def write_vf_settings(self, interface: str, index: int, settings: VfSettings) -> None:
        """Have a network card treat the packets of a virtual function so.

        Raises:
            OSError: As for `read_vf_settings`, and what the card's driver says.

        Cancellation:
            The settings are changed or they are not.
        """

    @abc.abstractmethod
    def open_uevents(self) -> Uevents:
        """Listen to what the kernel tells of devices; close it when done.

        Raises:
            OSError: The kernel does not tell.
        """

    @abc.abstractmethod
    def wall_clock_s(self) -> float:
        """Seconds since 1970-01-01 UTC, for people to read. Nothing is decided by it."""

    @abc.abstractmethod
    def fresh_uuid(self) -> uuid.UUID:
        """A UUID that was never returned before; also the source of MAC addresses."""
