"""How long until a device is there, and until it is really gone: on booted Linux guests.

A guest lets go of a device after several waits for the next tick of its clock (4 ms), so a detach
of either arm takes some 4 ms more or less than the one before: many rounds are needed to see less.

QEMU makes a device in 2.7 ms at least, and says so at once or, when the guest has begun to look at
it meanwhile, once the guest leaves it the lock that both need: after 5 or 8 ms, more often the less
else there is to do for the processors. No manager can be faster, so a row tells of that part.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import attrs
import trio

from pyvirt_sim.conformance.real.guest import Guest, build_guest
from pyvirt_trio import DeviceRemoved, Domain, Subscription
from pyvirt_trio.abc import PromptStream
from pyvirt_trio.host.real import RealHost
from tests.benchmarks.libvirtd.arms import Arms, durations_row, open_arms, took_s
from tests.benchmarks.table import Row
from tests.conformance.libvirt.requests import DOMAIN, guest_xml
from tests.conformance.libvirt.workshop import Workshop

ROUNDS = 30
SETTLE_S = 0.5
"""How long a Linux guest is given to bind a driver to what has come, or to tidy up."""

LIVE = 1

DEVICES = {
    "network card": """
<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>""",
    "disk": """
<disk type='file'><source file='IMAGE'/><target dev='vda' bus='virtio'/></disk>""",
    "rng": """
<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>""",
}


def rows() -> list[Row]:
    """Attach and detach a device of each kind, in turn on either guest."""
    return trio.run(_measure)


@attrs.define
class Times:
    """What was measured on one arm, in seconds."""

    attach: list[float] = attrs.Factory(list)
    qemu_share: list[float] = attrs.Factory(list)
    detach: list[float] = attrs.Factory(list)
    own_share: list[float] = attrs.Factory(list)


async def _measure() -> list[Row]:
    guest, host = build_guest(), TimingHost()
    rows: list[Row] = []
    async with open_arms(host) as arms:
        workshops = [Workshop(arms.folder / name, guest) for name in ("ours", "theirs")]
        domain = await _boot_both(arms, guest, workshops)
        _, events = arms.hypervisor.subscribe()
        await arms.theirs("watch_monitor", "DEVICE_DELETED")
        for name, xml in DEVICES.items():
            mine, peers = (workshop.filled(xml) for workshop in workshops)
            ours, theirs = Times(), Times()
            for _ in range(ROUNDS):
                await _our_round(domain, mine, events, host, ours)
                await _their_round(arms, peers, theirs)
            rows += _rows(name, ours, theirs)
        await domain.destroy()
        await arms.theirs("destroy", domain=DOMAIN)
    return rows


def _rows(name: str, ours: Times, theirs: Times) -> list[Row]:
    share = statistics.median(ours.own_share)
    return [
        durations_row(f"attach of a {name}", ours.attach, theirs.attach, ">= 1.67"),
        durations_row("if only QEMU took any time", ours.qemu_share, theirs.attach, "the bound"),
        durations_row(
            f"detach of a {name} until DeviceRemoved is received",
            ours.detach,
            theirs.detach,
            "> 1",
        ),
        durations_row(
            "of that, since QEMU's DEVICE_DELETED", ours.own_share, theirs.own_share, "> 1"
        ),
        Row("the same, beside 1 ms", share * 1e6, "us", "the aim", 1000, 1e-3 / share, ">= 1"),
    ]


async def _boot_both(arms: Arms, guest: Guest, workshops: list[Workshop]) -> Domain:
    texts = [workshop.filled(guest_xml(guest)) for workshop in workshops]
    domain = await arms.hypervisor.define(texts[0])
    await domain.start()
    await arms.theirs("define", texts[1])
    await arms.theirs("create", domain=DOMAIN)
    for workshop in workshops:
        await trio.to_thread.run_sync(workshop.wait_until_ready)
    await trio.sleep(SETTLE_S)
    return domain


async def _our_round(
    domain: Domain, xml: str, events: Subscription, host: TimingHost, times: Times
) -> None:
    host.waited_s = 0.0
    times.attach.append(await took_s(lambda: domain.attach_device(xml)))
    times.qemu_share.append(host.waited_s)
    await trio.sleep(SETTLE_S)
    async with trio.open_nursery() as nursery:
        received: list[float] = await nursery.start(_receive_removal, events)
        begin_s = time.monotonic()
        await domain.detach_device(xml)
    (end_s,) = received
    times.detach.append(end_s - begin_s)
    times.own_share.append(end_s - host.deleted_s)
    await trio.sleep(SETTLE_S)


async def _receive_removal(events: Subscription, task_status: trio.TaskStatus[list[float]]) -> None:
    """Wait as a client's event loop does, which is there before anything is asked for."""
    received: list[float] = []
    task_status.started(received)
    while not isinstance((await events.receive()).event, DeviceRemoved):
        pass
    received.append(time.monotonic())


async def _their_round(arms: Arms, xml: str, times: Times) -> None:
    answer = await arms.theirs("attachDeviceFlags", xml, LIVE, domain=DOMAIN)
    times.attach.append(answer["took_s"])
    await trio.sleep(SETTLE_S)
    await arms.theirs("events")
    answer = await arms.theirs("detachDeviceFlags", xml, LIVE, domain=DOMAIN)
    found: list[dict[str, Any]] = (await arms.theirs("events"))["result"]
    (removed,) = (event for event in found if event["kind"] == "DEVICE_REMOVED")
    (deleted,) = (event for event in found if event["kind"] == "MONITOR")
    times.detach.append(removed["at_s"] - answer["begin_s"])
    times.own_share.append(removed["at_s"] - deleted["at_s"])
    await trio.sleep(SETTLE_S)


class TimingHost(RealHost):
    """This machine, noting what its monitor does.

    Attributes:
        deleted_s: When it last told that a device with an id is deleted.
        waited_s: How long answers of QEMU were waited for.
    """

    def __init__(self) -> None:
        self.deleted_s = 0.0
        self.waited_s = 0.0

    async def open_stream(self, address: str) -> Any:
        """As `RealHost.open_stream`."""
        return _TimedStream(await super().open_stream(address), self)


class _TimedStream(PromptStream):
    def __init__(self, stream: PromptStream, host: TimingHost) -> None:
        self._stream = stream
        self._host = host
        self._sent_s: float | None = None

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = await self._stream.receive_some(max_bytes)
        now_s = time.monotonic()
        if b"DEVICE_DELETED" in data and b'"device"' in data:
            self._host.deleted_s = now_s
        if self._sent_s is not None:
            self._host.waited_s += now_s - self._sent_s
            self._sent_s = None
        return data

    def send_nowait(self, data: bytes) -> int:
        self._sent_s = time.monotonic()
        return self._stream.send_nowait(data)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()
