"""A program that asks a QEMU for a device until it is gone, by the monitor alone."""

from __future__ import annotations

import attrs
import trio

from pyvirt_trio.errors import CommandFailedError
from pyvirt_trio.qmp.messages import Event
from pyvirt_trio.qmp.session import QmpSession

WINDOW_S = 10.0
"""How long a guest may take: longer than the five seconds for which a slot blinks."""


@attrs.define(eq=False)
class Remover:
    """Asks again only when the guest has had its time."""

    period_s: float = WINDOW_S
    gone: dict[str, trio.Event] = attrs.field(factory=dict[str, trio.Event])

    def on_event(self, event: Event) -> None:
        """A device is gone."""
        if event.name == "DEVICE_DELETED" and "device" in event.data:
            self.gone.setdefault(event.data["device"], trio.Event()).set()

    async def remove(self, session: QmpSession, name: str) -> None:
        """The device is gone."""
        gone = self.gone.setdefault(name, trio.Event())
        while not gone.is_set():
            await self.ask(session, name)
            with trio.move_on_after(self.period()):
                await gone.wait()

    def period(self) -> float:
        """How long to wait for the guest."""
        return self.period_s

    async def ask(self, session: QmpSession, name: str) -> None:
        """Ask once; a refusal says that QEMU is at it already."""
        try:
            await session.execute("device_del", {"id": name})
        except CommandFailedError:
            return
