"""The state of a whole machine, out of a QEMU and into one: what libvirt saves with migration."""

from __future__ import annotations

import contextlib
import shlex
from typing import TYPE_CHECKING, Final

import trio

from pyvirt_trio.errors import HostError, InvalidStateError, MonitorClosedError, PyvirtError

if TYPE_CHECKING:
    from pyvirt_trio.driver.life import Life

UNLIMITED: Final = (1 << 63) - (1 << 20)
"""Bytes a second that a copy to a file may write: QEMU's limit is meant for networks. Its largest
value, less what its arithmetic needs, as libvirt sends it."""

WRITE_PATIENCE_S = 30.0
WRITE_PAUSE_S = 0.01
"""How long the last part of a copy may take to be written: at most a pipe's 64 KiB are left."""

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


async def store(life: Life, path: str, *, abort: trio.Event) -> str:
    """The state of the machine, whose processors stand still, is written at the end of ``path``.

    QEMU hands it to a shell, for want of a way to pass it a file that is open. What it has handed
    over may not be written yet; the shell gives the file another name when it is.

    Args:
        life: The machine.
        path: A file that exists.
        abort: Set by who wants this to end early.

    Returns:
        The file's new name.

    Raises:
        InvalidStateError: It was aborted.
        HostError: It could not be written.
        InvalidStateError, MonitorError: QEMU has gone, or does not migrate such a machine.

    Cancellation:
        QEMU no longer writes.
    """
    written = f"{path}.written"
    await prepare(life)
    await life.execute("migrate-set-parameters", {"max-bandwidth": UNLIMITED})
    quoted, quoted_after = shlex.quote(path), shlex.quote(written)
    try:
        await life.execute(
            "migrate", {"uri": f"exec:cat >> {quoted} && mv {quoted} {quoted_after}"}
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_when, abort, life, name="abort copy")
            status = await life.copying.wait_end()
            nursery.cancel_scope.cancel()
    except BaseException:
        with trio.CancelScope(shield=True):
            await _give_up(life)
        raise
    if status == "cancelled":
        raise InvalidStateError("operation aborted: canceled by client")
    if status != "completed":
        raise HostError(f"the state of the machine could not be written to {path} ({status})")
    with trio.move_on_after(WRITE_PATIENCE_S):
        while not await life.host.exists(written):  # noqa: ASYNC110 - only the file tells
            await trio.sleep(WRITE_PAUSE_S)
        return written
    raise HostError(f"the last part of {path} could not be written")


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
