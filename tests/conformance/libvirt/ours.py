"""The requests, made of this library on the real QEMU."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs
import trio

from pyvirt_sim.conformance.real.guest import Guest
from pyvirt_trio import Hypervisor, NotFoundError, PyvirtError, Subscription, open_hypervisor
from pyvirt_trio.host.real import RealHost
from pyvirt_trio.models.events import (
    BlockJobChanged,
    DomainEvent,
    HypervisorEvent,
    JobCompleted,
    LifecycleEvent,
    TunableChanged,
)
from tests.conformance.libvirt import calls
from tests.conformance.libvirt.answers import Answer, EventLine, certain, command_line, has
from tests.conformance.libvirt.requests import Request
from tests.conformance.libvirt.workshop import SETTLE_S, Workshop

PATIENCE_S = 60


def play(requests: Iterable[Request], guest: Guest, folder: Path) -> list[Answer]:
    """Boot the guest under a hypervisor of this library and make each request of it."""
    return trio.run(_play, list(requests), guest, folder)


async def _play(requests: list[Request], guest: Guest, folder: Path) -> list[Answer]:
    workshop, host = Workshop(folder, guest), ListeningHost()
    # A monitor's socket has a short path; pytest's folders may be long ones.
    with tempfile.TemporaryDirectory(prefix="pyvirt-") as root:
        return await _play_below(root, requests, host, workshop)


async def _play_below(
    root: str, requests: list[Request], host: ListeningHost, workshop: Workshop
) -> list[Answer]:
    async with open_hypervisor(
        f"qemu:///embed?root={root}", host=host, destroy_on_exit=True
    ) as hypervisor:
        _, events = hypervisor.subscribe()
        return [await _make(one, hypervisor, events, host, workshop) for one in requests]


class ListeningHost(RealHost):
    """This machine, with an ear on the monitors."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def open_stream(self, address: str) -> Any:
        """As `RealHost.open_stream`; whole lines that are written are kept."""
        stream = await super().open_stream(address)
        return _Overheard(stream, self.sent)


class _Overheard(trio.abc.Stream):
    def __init__(self, stream: trio.abc.Stream, sent: list[str]) -> None:
        self._stream = stream
        self._sent = sent

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self._sent += bytes(data).decode().splitlines()
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _make(
    request: Request,
    hypervisor: Hypervisor,
    events: Subscription,
    host: ListeningHost,
    workshop: Workshop,
) -> Answer:
    host.sent.clear()
    error = None
    found: list[EventLine] = []
    with trio.fail_after(PATIENCE_S):
        try:
            await _call(request, hypervisor, workshop)
        except PyvirtError as refusal:
            error = (int(refusal.code), workshop.neutral(refusal.libvirt_text))
        while request.until is not None and error is None and not has(found, request.until):
            found += _event_lines((await events.receive()).event)
    if request.boots:
        await trio.to_thread.run_sync(workshop.wait_until_ready)
    if request.settle:
        await trio.sleep(SETTLE_S)
    while True:
        try:
            found += _event_lines(events.receive_nowait().event)
        except trio.WouldBlock:
            break
    commands = (command_line(json.loads(line)) for line in host.sent)
    return Answer(
        request=request.name,
        error=error,
        events=certain(map(workshop.neutral_event, found), resets=request.resets),
        commands=tuple(workshop.neutral(line) for line in commands if line is not None),
        state=_state(request, hypervisor),
    )


async def _call(request: Request, hypervisor: Hypervisor, workshop: Workshop) -> None:
    if request.call == "boot":
        await trio.to_thread.run_sync(workshop.wait_until_ready)
        return
    if request.call == "wait":
        return
    argument = workshop.filled(request.argument)
    await calls.make(request.call, hypervisor, request.domain, argument, request.impact)


def _state(request: Request, hypervisor: Hypervisor) -> tuple[int, int] | None:
    try:
        status = hypervisor.domain(request.domain).status
    except NotFoundError:
        return None
    return int(status.state), int(status.reason)


def _event_lines(event: HypervisorEvent) -> list[EventLine]:
    """An event, as libvirt tells it: that of a disk's job twice, under two names."""
    line = _event_line(event)
    if isinstance(event, BlockJobChanged):
        _, path, target, *more = line
        return [("block-job", path, *more), ("block-job-2", target, *more)]
    return [line]


def _event_line(event: HypervisorEvent) -> EventLine:
    fields = attrs.asdict(event)
    if isinstance(event, LifecycleEvent):
        return ("lifecycle", str(event.libvirt_type), str(int(fields.get("detail", 0))))
    if isinstance(event, JobCompleted):
        return (event.libvirt_name, event.operation)
    if isinstance(event, TunableChanged):
        return (event.libvirt_name, *(f"{name}={value}" for name, value in event.parameters))
    common = {field.name for field in attrs.fields(DomainEvent)}
    values = (str(value) for name, value in fields.items() if name not in common)
    return (event.libvirt_name, *values)
