"""Two managers side by side: this library in this process, and a private libvirtd.

A call is made of one and then of the other, over and over, because the speed of a machine changes
from second to second, and the same call is faster when something keeps the processors awake. All
times are of CLOCK_MONOTONIC, taken around the call in the process that makes it.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import trio

from pyvirt_trio import Hypervisor, open_hypervisor
from pyvirt_trio.abc import Host
from tests.benchmarks.table import Row
from tests.real.libvirtd.daemon import Client, Libvirtd, private_libvirtd

PEER = "libvirtd 9.0.0"

MINIMAL_XML = """
<domain type='qemu'>
  <name>NAME</name><memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    <controller type='usb' index='0' model='none'/>
    <memballoon model='none'/>
  </devices>
</domain>"""
"""A machine without kernel, disk, network or screen."""


@attrs.frozen
class Arms:
    """Both managers, ready.

    Attributes:
        folder: For files of the run.
        hypervisor: Ours.
        daemon: The private libvirtd.
        client: A connection to it, in a process of its own.
    """

    folder: Path
    hypervisor: Hypervisor
    daemon: Libvirtd
    client: Client

    async def theirs(self, name: str, *arguments: Any, domain: str | None = None) -> dict[str, Any]:
        """As `Client.call`, for what cannot fail."""
        call = partial(self.client.call, name, *arguments, domain=domain)
        answer = await trio.to_thread.run_sync(call)
        assert "error" not in answer, (name, answer)
        return answer


@asynccontextmanager
async def open_arms(host: Host | None = None) -> AsyncGenerator[Arms]:
    """Both managers, for the length of a block."""
    with tempfile.TemporaryDirectory(prefix="pyvirt-bench-") as folder:
        with private_libvirtd(filters="") as daemon, daemon.client() as client:
            uri = f"qemu:///embed?root={folder}/root"
            async with open_hypervisor(uri, host=host, destroy_on_exit=True) as hypervisor:
                yield Arms(Path(folder), hypervisor, daemon, client)


async def took_s(call: Callable[[], Awaitable[Any]]) -> float:
    """How long one call of ours takes."""
    begin_s = time.monotonic()
    await call()
    return time.monotonic() - begin_s


def durations_row(name: str, ours: Sequence[float], theirs: Sequence[float], aim: str) -> Row:
    """Seconds, of which fewer are better: medians, and how many times faster ours is."""
    mine, peers = statistics.median(ours), statistics.median(theirs)
    return Row(name, mine * 1e6, "us", PEER, peers * 1e6, peers / mine, aim)


def rates_row(
    name: str, ours: Sequence[float], theirs: Sequence[float], aim: str, peer: str = PEER
) -> Row:
    """Numbers a second, of which more are better: medians, and how many times as many ours is."""
    mine, peers = statistics.median(ours), statistics.median(theirs)
    return Row(name, mine, "per s", peer, peers, mine / peers, aim)
