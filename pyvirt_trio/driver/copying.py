"""The state of a whole machine, out of a QEMU and into one: what libvirt saves with migration."""

from __future__ import annotations

import contextlib
import shlex
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from pyvirt_trio.driver import image_files
from pyvirt_trio.errors import HostError, InvalidStateError, MonitorClosedError, PyvirtError
from pyvirt_trio.models.jobs import JobType

if TYPE_CHECKING:
    from pyvirt_trio.abc import Host
    from pyvirt_trio.driver.jobs import AsyncHold, Numbers
    from pyvirt_trio.driver.life import Life

UNLIMITED: Final = (1 << 63) - (1 << 20)
"""Bytes a second that a copy to a file may write: QEMU's limit is meant for networks. Its largest
value, less what its arithmetic needs, as libvirt sends it."""

WRITE_PATIENCE_S = 30.0
WRITE_PAUSE_S = 0.01
"""How long the last part of a copy may take to be written: at most a pipe's 64 KiB are left."""

BYTES_PER_MEGABIT = 125_000

_AMOUNTS = (("total", "total"), ("processed", "transferred"), ("remaining", "remaining"))
_RAM = (
    ("memory_constant", "duplicate"),
    ("memory_normal", "normal"),
    ("memory_normal_bytes", "normal-bytes"),
    ("memory_dirty_rate", "dirty-pages-rate"),
    ("memory_iteration", "dirty-sync-count"),
    ("memory_postcopy_requests", "postcopy-requests"),
    ("memory_page_size", "page-size"),
)
"""libvirt's names of numbers, and QEMU's."""

PART: Final = ".part"
WRITTEN: Final = ".part.written"
"""Endings of a file's name while it is being written, and from then until it is whole."""

_ENDS = ("completed", "failed", "cancelled", "lost")


class Copying:
    """How far the copy is that a QEMU makes or reads, as its MIGRATION events tell.

    Attributes:
        status: QEMU's word for it; ``lost`` when QEMU has gone.
    """

    def __init__(self) -> None:
        self.status = "none"
        self._changed = trio.Event()

    def begin(self) -> None:
        """A copy is about to be asked for: what earlier ones came to says nothing of it."""
        if self.status != "lost":
            self.status = "none"

    def tell(self, status: str) -> None:
        """QEMU says, or it is seen, that the copy is in another state."""
        if self.status != "lost":
            self.status = status
        self._changed.set()
        self._changed = trio.Event()

    async def wait_end(self) -> str:
        """Block until the copy is made, has failed, or is given up; the last status."""
        while self.status not in _ENDS:
            await self._changed.wait()
        return self.status


async def measure(life: Life) -> Numbers:
    """How far the copy is, as QEMU sees it (``query-migrate``).

    Raises:
        InvalidStateError, MonitorError: QEMU has gone.
    """
    answer = await life.execute("query-migrate")
    ram = answer.get("ram", {})
    disk = answer.get("disk", {})
    known: list[tuple[str, int | None]] = [("setup_time", answer.get("setup-time"))]
    if ram:
        known += [(f"data_{name}", ram[key] + disk.get(key, 0)) for name, key in _AMOUNTS]
        known += [(f"memory_{name}", ram[key]) for name, key in _AMOUNTS]
        known.append(("memory_bps", round(ram["mbps"] * BYTES_PER_MEGABIT) or None))
        known += [(name, ram.get(key)) for name, key in _RAM]
    return tuple((name, value) for name, value in known if value is not None)


async def prepare(life: Life) -> None:
    """Let QEMU tell by events how far copies are."""
    capability = {"capability": "events", "state": True}
    await life.execute("migrate-set-capabilities", {"capabilities": [capability]})
    life.copying.begin()


async def load(life: Life, uri: str) -> None:
    """The machine is in the state that is read from ``uri``; its processors stand still.

    Raises:
        MonitorClosedError: QEMU could not make use of it, and has ended; its log says why.
        CommandFailedError: QEMU refused to begin.
    """
    await prepare(life)
    await life.execute("migrate-incoming", {"uri": uri})
    if await life.copying.wait_end() != "completed":
        raise MonitorClosedError("the state of the machine could not be read")


def reading(path: str, start: int) -> str:
    """The URI from which QEMU reads what is in ``path`` from the byte with the number ``start``."""
    return f"exec:tail -c +{start + 1} {shlex.quote(path)}"


async def store(life: Life, job: AsyncHold, path: str, *, head: bytes = b"") -> str:
    """A file holds ``head`` and then the state of the machine.

    QEMU hands it to a shell, for want of a way to pass it a file that is open. What it has handed
    over may not be written yet; the shell gives the file another name when it is.

    Args:
        life: The machine, whose processors stand still, or will when the copy is complete.
        job: What it is for; it is told how far the copy is, and may be aborted.
        path: Where the file is wanted.
        head: What comes first.

    Returns:
        The file, beside the place where it is wanted.

    Raises:
        InvalidStateError: It was aborted.
        HostError: It could not be written.
        InvalidStateError, MonitorError: QEMU has gone, or does not migrate such a machine.

    Cancellation:
        QEMU no longer writes, and nothing of the file is left.
    """
    part, written = f"{path}{PART}", f"{path}{WRITTEN}"
    try:
        await image_files.create(life.host, part, head.decode(), wanted=path)
        job.measure = partial(measure, life)
        await _write(life, job, part, written)
        await job.complete()
        await _is_written(life, written)
    except BaseException as error:
        is_aborted = job.abort_requested.is_set() or isinstance(error, trio.Cancelled)
        job.type = JobType.CANCELLED if is_aborted else JobType.FAILED
        with trio.CancelScope(shield=True):
            await remove_leftovers(life.host, path)
        raise
    return written


async def remove_leftovers(host: Host, path: str) -> None:
    """Nothing is left of a copy that `store` made or began for ``path``, as far as possible."""
    for leftover in (f"{path}{PART}", f"{path}{WRITTEN}"):
        with contextlib.suppress(HostError):  # what went wrong first is worth telling
            await image_files.remove(host, leftover)


async def _write(life: Life, job: AsyncHold, part: str, written: str) -> None:
    await prepare(life)
    await life.execute("migrate-set-parameters", {"max-bandwidth": UNLIMITED})
    quoted, quoted_after = shlex.quote(part), shlex.quote(written)
    try:
        await life.execute(
            "migrate", {"uri": f"exec:cat >> {quoted} && mv {quoted} {quoted_after}"}
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_when, job.abort_requested, life, name="abort copy")
            status = await life.copying.wait_end()
            nursery.cancel_scope.cancel()
    except BaseException:
        with trio.CancelScope(shield=True):
            await _give_up(life)
        raise
    if status == "cancelled":
        raise InvalidStateError("operation aborted: canceled by client")
    if status != "completed":
        raise HostError(f"the state of the machine could not be written to {part} ({status})")


async def _is_written(life: Life, written: str) -> None:
    with trio.move_on_after(WRITE_PATIENCE_S):
        while not await life.host.exists(written):  # noqa: ASYNC110 - only the file tells
            await trio.sleep(WRITE_PAUSE_S)
        return
    raise HostError(f"the last part of {written} could not be written")


async def _cancel_when(abort: trio.Event, life: Life) -> None:
    await abort.wait()
    with contextlib.suppress(PyvirtError):  # it ends anyway
        await life.execute("migrate_cancel")


async def _give_up(life: Life) -> None:
    """Have QEMU stop copying, if it still does."""
    with contextlib.suppress(PyvirtError):
        await life.execute("migrate_cancel")
        if life.copying.status != "none":
            await life.copying.wait_end()
