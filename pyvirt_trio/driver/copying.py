"""The state of a whole machine, out of a QEMU and into one: what libvirt saves with migration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from pyvirt_trio.errors import MonitorClosedError

if TYPE_CHECKING:
    from pyvirt_trio.driver.life import Life

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
