"""How many events a second reach observers when a client gives a domain title after title.

Each call makes one event, and the new title is written to the domain's status first. libvirt's
producer and observers are clients of its daemon with a connection each. Ours are measured twice:
embedded, as tasks of the process that manages the domain, which is what a program with the library
does; and as clients of our own daemon, with a connection each, which is the same thing as theirs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import trio

from pyvirt_trio import Domain, Hypervisor, Impact, Subscription
from pyvirt_trio.remote.client import RemoteHypervisor, open_remote
from tests.benchmarks.libvirtd.arms import MINIMAL_XML, Arms, open_arms, rates_row
from tests.benchmarks.table import Row

ROUNDS = 5
CALLS = 500
NAME = "watched"
XML = MINIMAL_XML.replace("NAME", NAME)


def rows() -> list[Row]:
    """One observer, and ten; embedded, and through our daemon."""
    return trio.run(_measure)


@attrs.frozen
class _Rates:
    """Events a second that were measured, of each kind."""

    embedded: list[float] = attrs.field(factory=list[float])
    remote: list[float] = attrs.field(factory=list[float])
    theirs: list[float] = attrs.field(factory=list[float])


async def _measure() -> list[Row]:
    found = {1: _Rates(), 10: _Rates()}
    async with open_arms() as arms, _daemon(arms.folder / "daemon") as root:
        domain = await arms.hypervisor.define(XML)
        await domain.start()
        await arms.theirs("define", XML)
        await arms.theirs("create", domain=NAME)
        for _ in range(ROUNDS):
            for observers, rates in found.items():
                rates.embedded.append(await _embedded(arms.hypervisor, domain, observers))
                rates.remote.append(await _remote(root, observers))
                rates.theirs.append(await _theirs(arms, observers))
        await domain.destroy()
        await arms.theirs("destroy", domain=NAME)
    name = "events of one producer, received by"
    return [
        row
        for observers, rates in found.items()
        for row in (
            rates_row(f"{name} {observers}, embedded", rates.embedded, rates.theirs, ">= 5"),
            rates_row(f"{name} {observers}, by our daemon", rates.remote, rates.theirs, "no aim"),
        )
    ]


async def _theirs(arms: Arms, observers: int) -> float:
    answer = await arms.theirs("event_rate", NAME, observers, CALLS)
    return float(answer["result"])


# -- embedded -------------------------------------------------------------------------------------


async def _embedded(hypervisor: Hypervisor, domain: Domain, observers: int) -> float:
    subscriptions = [hypervisor.subscribe()[1] for _ in range(observers)]
    begin_s = time.monotonic()
    async with trio.open_nursery() as nursery:
        for subscription in subscriptions:
            nursery.start_soon(_observe, subscription)
        for number in range(CALLS):
            await domain.set_title(f"title {number}", Impact.LIVE)
    return observers * CALLS / (time.monotonic() - begin_s)


async def _observe(subscription: Subscription) -> None:
    for _ in range(CALLS):
        await subscription.receive()


# -- through our daemon ---------------------------------------------------------------------------


@asynccontextmanager
async def _daemon(root: Path) -> AsyncGenerator[str]:
    """The root of a daemon in a process of its own, whose domain runs."""
    command = [sys.executable, "-m", "pyvirt_trio.daemon", str(root)]
    daemon = await trio.lowlevel.open_process(command)
    try:
        while not (root / "run" / "pyvirt.sock").exists():
            await trio.sleep(0.02)
        async with open_remote(str(root), starts=False) as client:
            await client.call("define", xml=XML)
            await client.call("start", domain=NAME)
            yield str(root)
            await client.call("destroy", domain=NAME)
    finally:
        daemon.terminate()
        await daemon.wait()


async def _remote(root: str, observers: int) -> float:
    async with AsyncExitStack() as stack:
        producer = await stack.enter_async_context(open_remote(root, starts=False))
        streams: list[AsyncGenerator[dict[str, Any]]] = []
        for _ in range(observers):
            client = await stack.enter_async_context(open_remote(root, starts=False))
            streams.append(await _subscribed(client))
        begin_s = time.monotonic()
        async with trio.open_nursery() as nursery:
            for stream in streams:
                nursery.start_soon(_follow, stream)
            for number in range(CALLS):
                await producer.call(
                    "desc", domain=NAME, text=f"title {number}", title=True, impact=1
                )
        return observers * CALLS / (time.monotonic() - begin_s)


async def _subscribed(client: RemoteHypervisor) -> AsyncGenerator[dict[str, Any]]:
    stream = client.events(domains=[NAME])
    assert "domains" in await anext(stream), "a snapshot comes first"
    return stream


async def _follow(stream: AsyncGenerator[dict[str, Any]]) -> None:
    for _ in range(CALLS):
        assert "missed" not in await anext(stream)
    await stream.aclose()
