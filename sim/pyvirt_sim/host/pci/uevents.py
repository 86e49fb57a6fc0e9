"""What the kernel tells those who listen on its netlink socket: devices that come, go and change.

The kernel never delays, drops or reorders silently; a receiver that is slow gets ``ENOBUFS``. But
what reaches a program has mostly come through udev, which does all three, so these are fault sites.
Only events of the subsystems ``pci``, ``vfio`` and ``vfio-dev`` are made.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable, Mapping

import attrs
import trio

from pyvirt_sim.engine import note
from pyvirt_sim.host.tree import failure
from pyvirt_trio.abc import Uevents

MAX_QUEUED = 256
"""Events a socket holds: what Linux's default of 212,992 bytes holds, at 800 bytes each."""


@attrs.frozen
class Uevent:
    """One event of the kernel.

    Args:
        number: Counts the events of the host (``SEQNUM``).
        action: ``add``, ``remove``, ``bind``, ``unbind`` or ``change``.
        devpath: The device's folder, below /sys.
        subsystem: ``pci``, ``vfio`` or ``vfio-dev``.
        properties: The rest, for example ``DRIVER``.
    """

    number: int
    action: str
    devpath: str
    subsystem: str
    properties: Mapping[str, str]


class UeventSocket(Uevents):
    """Receives the events from its opening on. Made by `SimHost.open_uevents`.

    Args:
        delay_s: How long the latency of a site is this time.
        happens: Whether the fault of a site strikes.
    """

    def __init__(self, delay_s: Callable[[str], float], happens: Callable[[str], bool]) -> None:
        self._delay_s = delay_s
        self._happens = happens
        self._underway: deque[tuple[Uevent, float]] = deque()
        self._ready: deque[Uevent] = deque()
        self._held: Uevent | None = None
        self._has_overrun = False
        self._changed = trio.lowlevel.ParkingLot()
        self.is_closed = False

    def put(self, event: Uevent) -> None:
        """Take an event from the kernel, or lose it."""
        if self._happens("uevent-lost"):
            note("host", f"an event is lost: {event.action} {event.devpath}")
            return
        if self._held is None and self._happens("uevent-reordered"):
            self._held = event
            return
        self._send(event)
        if self._held is not None:
            self._send(self._held)
            self._held = None

    async def receive(self) -> Uevent:
        """The next event.

        Raises:
            OSError: ``ENOBUFS`` once after events were dropped because nobody received them;
                ``EBADF`` when closed.
        """
        await trio.lowlevel.checkpoint()
        while True:
            if self.is_closed:
                raise failure(errno.EBADF, "uevents")
            if self._has_overrun:
                self._has_overrun = False
                raise failure(errno.ENOBUFS, "uevents")
            if self._ready:
                return self._ready.popleft()
            await self._changed.park()

    def receive_nowait(self) -> Uevent:
        """The next event, if it is here.

        Raises:
            trio.WouldBlock: It is not.
        """
        if not self._ready:
            raise trio.WouldBlock
        return self._ready.popleft()

    def close(self) -> None:
        """Receive no more."""
        self.is_closed = True
        self._changed.unpark_all()

    async def deliver(self) -> None:
        """Bring delayed events to the receiver, in their order; runs as long as the socket."""
        while not self.is_closed:
            while self._underway:
                await trio.sleep(self._underway[0][1])
                self._arrive(self._underway.popleft()[0])
            await self._changed.park()

    def _send(self, event: Uevent) -> None:
        delay_s = self._delay_s("uevent")
        if delay_s or self._underway:
            self._underway.append((event, delay_s))
            self._changed.unpark_all()
        else:
            self._arrive(event)

    def _arrive(self, event: Uevent) -> None:
        if len(self._ready) >= MAX_QUEUED:
            self._has_overrun = True
        else:
            self._ready.append(event)
        self._changed.unpark_all()


class UeventSource:
    """The kernel's end: every event goes to every open socket."""

    def __init__(self) -> None:
        self._count = 0
        self._sockets: list[UeventSocket] = []

    def add(self, socket: UeventSocket) -> None:
        """Send to this socket from now on."""
        self._sockets.append(socket)

    def publish(
        self, action: str, devpath: str, subsystem: str, properties: Mapping[str, str]
    ) -> None:
        """Tell everyone."""
        self._count += 1
        self._sockets = [socket for socket in self._sockets if not socket.is_closed]
        if self._sockets:
            event = Uevent(self._count, action, devpath, subsystem, dict(properties))
            for socket in self._sockets:
                socket.put(event)
