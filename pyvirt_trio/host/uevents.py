"""The kernel's news of devices, from its netlink socket (``NETLINK_KOBJECT_UEVENT``). Read only."""

from __future__ import annotations

import socket

import attrs
import trio

from pyvirt_trio import abc

_NETLINK_KOBJECT_UEVENT = 15
_KERNEL_GROUP = 1  # group 2 is what udev passes on
_MAX_MESSAGE_BYTES = 8192  # the kernel's own buffer has 2 KiB


@attrs.frozen
class KernelUevent:
    """One event of the kernel; see `abc.Uevent`."""

    action: str
    devpath: str
    subsystem: str


class KernelUevents(abc.Uevents):
    """A socket that hears what the kernel tells from its opening on.

    Raises:
        OSError: (the constructor) The kernel does not give one.
    """

    def __init__(self) -> None:
        plain = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_KOBJECT_UEVENT)
        try:
            plain.bind((0, _KERNEL_GROUP))
        except OSError:
            plain.close()
            raise
        self._socket = trio.socket.from_stdlib_socket(plain)

    async def receive(self) -> KernelUevent:
        """The next event; ``ENOBUFS`` once when some were dropped."""
        while True:
            data, sender = await self._socket.recvfrom(_MAX_MESSAGE_BYTES)
            event = parse_uevent(data)
            if event is not None and sender[0] == 0:  # a process could send to the group, too
                return event

    def close(self) -> None:
        """Hear no more."""
        self._socket.close()


def parse_uevent(data: bytes) -> KernelUevent | None:
    """The event in a datagram of the kernel; ``None`` when it is none.

    A datagram is ``action@devpath`` and then ``KEY=value`` each, all ended by a zero byte.
    """
    header, *members = data.decode(errors="replace").split("\0")
    action, at, devpath = header.partition("@")
    if not at:
        return None
    values: dict[str, str] = {}
    for member in members:
        name, _, value = member.partition("=")
        values[name] = value
    return KernelUevent(action, devpath, values.get("SUBSYSTEM", ""))
