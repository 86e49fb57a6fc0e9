"""Writing the memory of a machine into a file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import trio

from pyvirt_trio.driver import image_files
from pyvirt_trio.errors import HostError

if TYPE_CHECKING:
    from pyvirt_trio.driver.jobs import Numbers
    from pyvirt_trio.driver.life import Life

DUMP_FOLDER = "dump"
"""Below the root: cores of guests that crashed where ``<on_crash>`` asks for one."""


async def write_core(life: Life, path: str) -> None:
    """QEMU has written the memory of the machine to ``path``.

    Raises:
        HostError: It could not be written.
        InvalidStateError, MonitorError: QEMU refused, or has gone.
    """
    await image_files.create(life.host, path)  # for nobody else to read, which QEMU leaves open
    life.dumping.begin()
    # Detached, or the monitor would not answer before all is written.
    arguments = {"paging": False, "protocol": f"file:{path}", "detach": True}
    await life.execute("dump-guest-memory", arguments)
    status = await life.dumping.wait_end()
    if status != "completed":
        raise HostError(f"the core could not be written to {path} ({status})")


async def measure(life: Life) -> Numbers:
    """How far the core is (``query-dump``).

    Raises:
        InvalidStateError, MonitorError: QEMU has gone.
    """
    answer = await life.execute("query-dump")
    total, completed = answer["total"], answer["completed"]
    return (
        ("memory_total", total),
        ("memory_processed", completed),
        ("memory_remaining", total - completed),
    )


async def dump_crash(life: Life) -> None:
    """The core of a guest that has crashed is in the folder for them, named after the moment.

    Raises:
        PyvirtError: It could not be written.
    """
    folder = f"{life.domain.store.root}/{DUMP_FOLDER}"
    when = datetime.fromtimestamp(life.host.wall_clock_s(), UTC)
    with trio.CancelScope(shield=True):
        await image_files.make_folder(life.host, folder)
    await write_core(life, f"{folder}/{life.number}-{life.domain.name}-{when:%Y-%m-%d-%H:%M:%S}")
