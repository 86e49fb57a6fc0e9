"""Files that hold machines and their memory: the host's, with the library's errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyvirt_trio.errors import DefinitionError, ErrorCode, HostError

if TYPE_CHECKING:
    from pyvirt_trio.abc import Host


def require_absolute(path: str) -> None:
    """Refuse a path that QEMU would take for one below its own directory.

    Raises:
        DefinitionError: It is one.
    """
    if not path.startswith("/"):
        raise DefinitionError(f"{path!r} is not an absolute path", code=ErrorCode.INVALID_ARG)


async def create(host: Host, path: str, text: str = "", *, wanted: str | None = None) -> None:
    """``path`` holds ``text``, for nobody else to read.

    Args:
        host: The machine.
        path: The file.
        text: What it begins with.
        wanted: The name that was asked for, if it will get another one.

    Raises:
        HostError: It could not be written.
    """
    try:
        await host.replace_file(path, text)
    except OSError as error:
        message = f"Failed to create file '{wanted or path}': {error.strerror}"
        raise HostError(message) from error


async def move(host: Host, path: str, new_path: str) -> None:
    """What was at ``path`` is at ``new_path``, and nothing else is there.

    Raises:
        HostError: It could not be moved.
    """
    try:
        await host.move_file(path, new_path)
    except OSError as error:
        raise HostError(f"cannot rename {path}: {error.strerror}") from error


async def remove(host: Host, path: str) -> None:
    """Nothing is at ``path``.

    Raises:
        HostError: It could not be removed.
    """
    try:
        await host.remove_file(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise HostError(f"cannot remove {path}: {error.strerror}") from error


async def make_folder(host: Host, path: str) -> None:
    """A folder is there.

    Raises:
        HostError: It cannot be made.
    """
    try:
        await host.make_directory(path)
    except OSError as error:
        raise HostError(f"cannot create {path}: {error.strerror}") from error
