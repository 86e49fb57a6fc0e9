"""The kernel's datagrams about devices, and a real socket that hears them."""

from __future__ import annotations

import pytest
import trio

from pyvirt_trio.host.real import RealHost
from pyvirt_trio.host.uevents import KernelUevent, parse_uevent

PATH = "/devices/pci0000:00/0000:00:02.0"


@pytest.mark.parametrize(
    ("event", "data"),
    [
        (
            KernelUevent("bind", PATH, "pci"),
            f"bind@{PATH}\0ACTION=bind\0DEVPATH={PATH}\0SUBSYSTEM=pci\0DRIVER=x\0SEQNUM=7\0",
        ),
        (KernelUevent("add", "/module/x", ""), "add@/module/x\0ACTION=add\0"),
        (None, "libudev\0\xfe\xed\xca\xfe"),
        (None, ""),
    ],
)
def test_a_datagram_is_an_event_or_nothing(event: KernelUevent | None, data: str) -> None:
    assert event == parse_uevent(data.encode())


async def test_a_real_socket_waits_and_is_closed() -> None:
    uevents = RealHost().open_uevents()
    with trio.move_on_after(0) as scope:
        await uevents.receive()
    assert scope.cancelled_caught
    uevents.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        await uevents.receive()
