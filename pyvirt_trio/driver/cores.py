"""Writing the memory of a machine into a file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import trio

from pyvirt_trio.errors import DefinitionError, ErrorCode, HostError

if TYPE_CHECKING:
    from pyvirt_trio.driver.life import Life

DUMP_FOLDER = "dump"
"""Below the root: cores of guests that crashed where ``<on_crash>`` asks for one."""


async def write_core(life: Life, path: str) -> None:
    """QEMU has written the memory of the machine to ``path``.

    Raises:
        DefinitionError: The path is not absolute.
        HostError: It could not be written.
        InvalidStateError, MonitorError: QEMU refused, or has gone.
    """
    if not path.startswith("/"):
        raise DefinitionError(f"{path!r} is not an absolute path", code=ErrorCode.INVALID_ARG)
    try:
        await life.host.replace_file(path, "")  # for nobody else to read, which QEMU leaves open
    except OSError as error:
        raise HostError(f"Failed to create file '{path}': {error.strerror}") from error
    life.dumping.begin()
    # Detached, or the monitor would not answer before all is written.
    arguments = {"paging": False, "protocol": f"file:{path}", "detach": True}
    await life.execute("dump-guest-memory", arguments)
    status = await life.dumping.wait_end()
    if status != "completed":
        raise HostError(f"the core could not be written to {path} ({status})")


async def dump_crash(life: Life) -> None:
    """The core of a guest that has crashed is in the folder for them, named after the moment.

    Raises:
        PyvirtError: It could not be written.
    """
    folder = f"{life.domain.store.root}/{DUMP_FOLDER}"
    when = datetime.fromtimestamp(life.host.wall_clock_s(), UTC)
    with trio.CancelScope(shield=True):
        try:
            await life.host.make_directory(folder)
        except OSError as error:
            raise HostError(f"cannot create {folder}: {error.strerror}") from error
    await write_core(life, f"{folder}/{life.number}-{life.domain.name}-{when:%Y-%m-%d-%H:%M:%S}")
